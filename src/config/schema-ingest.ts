// The entries of what goes into the store: what messages mean, how exactly they are kept, how many series there may be.
// Not here: how the entries are read (load.ts), what must hold between them (check.ts).
import { filterFault, regexFault, templateFault } from './check-text.ts'
import {
  choice,
  count,
  countOr,
  duration,
  durationOr,
  flag,
  size,
  tables,
  text,
  textMap,
  texts
} from './entry.ts'

export const ingest = {
  topics: tables({
    key: 'ingest.topics',
    default: [],
    rowsMax: 1000,
    columns: {
      match: text({
        key: 'match',
        min: 1,
        max: 1024,
        valid: templateFault,
        what: 'Topic template: levels as they are, + or {label} for one level (dev-{label} too), # for the rest.',
        why: '"{site}/{device}/telemetry" turns the levels of a topic into labels.'
      }),
      labels: textMap({
        key: 'labels',
        default: {},
        pairsMax: 32,
        valueMax: 1024,
        what: 'Labels that every series of these topics gets.',
        why: 'For what the topic does not say, such as the building.'
      }),
      topicLabel: flag({
        key: 'topic_label',
        default: true,
        what: 'Series get the label topic.',
        why: 'Where the labels of the template say it all, it is a second name for the same thing.'
      }),
      format: choice({
        key: 'format',
        default: 'auto',
        of: ['auto', 'json', 'text', 'cbor', 'raw'],
        what: 'How payloads are read; raw keeps them as bytes.',
        why: 'auto looks at the first bytes, which is right for all but unusual payloads.'
      }),
      ignore: flag({
        key: 'ignore',
        default: false,
        what: 'Nothing of these topics is stored.',
        why: 'Commands and configuration pass through the broker too.'
      }),
      time: text({
        key: 'time',
        default: '',
        max: 256,
        what: 'Field of the timestamp, nested ones joined with _; "" takes the time of arrival.',
        why: 'A device with a clock knows better when it measured; one without knows nothing.'
      }),
      timeUnit: choice({
        key: 'time_unit',
        default: 'auto',
        of: ['auto', 's', 'ms', 'us', 'ns', 'iso'],
        what: 'Unit of the timestamp; auto tells s, ms, us, ns and ISO 8601 apart by size and form.',
        why: 'Seconds of today are 10 digits, milliseconds 13.'
      }),
      arrays: choice({
        key: 'arrays',
        default: 'auto',
        of: ['auto', 'index', 'skip'],
        what: 'auto reads objects with a time as samples and other lists as fields name_0, name_1; index never looks for times; skip leaves lists out.',
        why: 'Devices that sleep send many samples at once.'
      }),
      name: text({
        key: 'name',
        default: '',
        max: 256,
        what: 'Series name of a payload that is one bare value; "" takes the last level of the topic.',
        why: '"home/attic/t1" with 21.4 should be "temperature", not "t1".'
      }),
      prefix: text({
        key: 'prefix',
        default: '',
        max: 256,
        what: 'Put before every series name of these topics.',
        why: 'Two kinds of device may both say "value".'
      }),
      include: texts({
        key: 'include',
        default: [],
        itemsMax: 1000,
        itemMax: 256,
        what: 'Only these fields are stored; a name may end in *; [] stores all.',
        why: 'Devices send more than anybody reads, and each field is a series.'
      }),
      exclude: texts({
        key: 'exclude',
        default: [],
        itemsMax: 1000,
        itemMax: 256,
        what: 'These fields are not stored; a name may end in *.',
        why: 'As include, for the other way round.'
      }),
      keepRaw: flag({
        key: 'keep_raw',
        default: false,
        what: 'The payload is kept as well, bit for bit, in the series "payload".',
        why: 'Costs what the payload costs; for audits and for payloads that may need reading again.'
      })
    },
    what: 'What topics mean; the first that matches decides. Without any, every publish becomes series.',
    why: 'Zero configuration works; labels make it better.'
  }),
  precision: tables({
    key: 'ingest.precision',
    default: [],
    rowsMax: 1000,
    columns: {
      match: text({
        key: 'match',
        default: '',
        max: 1024,
        valid: filterFault,
        what: 'MQTT filter on the label topic, such as "site1/+/climate"; "" matches every group.',
        why: 'What is written over HTTP has no topic: series names tell it apart.'
      }),
      series: text({
        key: 'series',
        default: '',
        max: 1024,
        valid: regexFault,
        what: 'Anchored regular expression on the name of a series, such as "temp.*"; "" matches every one.',
        why: 'A meter wants all of its digits, the thermometer in the same message does not.'
      }),
      timeStep: durationOr('exact', {
        key: 'time_step',
        default: 'exact',
        min: '1ms',
        max: '1h',
        what: 'Times are cut down to multiples of this, in the whole group of a matching series.',
        why: 'Jitter is the largest part of a sample on flash. Keep it below the interval of the device: what it dates within one step becomes one sample.'
      }),
      decimals: countOr('all', {
        key: 'decimals',
        default: 'all',
        min: 0,
        max: 15,
        what: 'Numbers are rounded to this many decimal places; whole numbers, NaN and infinities stay as they are.',
        why: 'The last digits of a sensor are noise, and each costs 3.3 bits a sample.'
      })
    },
    what: 'Samples stored with less precision than they came with; the first that matches decides. Without any, every bit is kept.',
    why: 'Lossless unless you say so: what is cut is gone before it is acknowledged.'
  }),
  fieldsMax: count({
    key: 'ingest.fields_max',
    default: 256,
    min: 1,
    max: 4096,
    what: 'Fields of one message; a message with more goes to the dead letters.',
    why: 'Each field is a series for ever.'
  }),
  depthMax: count({
    key: 'ingest.depth_max',
    default: 16,
    min: 1,
    max: 64,
    what: 'Levels of nesting in a payload; a deeper one goes to the dead letters.',
    why: 'Nested objects become names joined with _: nobody reads more.'
  }),
  textMax: size({
    key: 'ingest.text_max',
    default: '64KiB',
    min: '64B',
    max: '1MiB',
    what: 'Longest string or bytes value of a sample; a message with a longer one goes to the dead letters.',
    why: 'A chunk holds many of them.'
  }),
  futureMax: duration({
    key: 'ingest.future_max',
    default: '1h',
    min: '0s',
    max: '10y',
    what: 'How far ahead of the gateway a device timestamp may be; beyond, the time of arrival is taken.',
    why: 'A device with a wrong clock would hide all that comes after it.'
  }),
  deadLettersMax: count({
    key: 'ingest.dead_letters_max',
    default: 1000,
    min: 0,
    max: 100_000,
    what: 'Messages kept that could not be read, the oldest going first.',
    why: 'Enough to see what is wrong; a device that sends rubbish must not fill the card.'
  })
}

export const series = {
  max: count({
    key: 'series.max',
    default: 100_000,
    min: 100,
    max: 10_000_000,
    live: true,
    what: 'Series that may exist; a message that would make more is refused with a clear error.',
    why: 'Names stay in memory, and a counter in a topic makes a new series with every message.'
  })
}

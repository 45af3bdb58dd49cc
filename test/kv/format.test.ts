// The bytes of the store: the examples in the headers are true, what is written reads back, and damaged
// bytes give errors with a code, never a crash, a hang or another value's bytes.
import t from 'tap'
import { ByteReader, ByteWriter } from '../../src/base/bytes.ts'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { BlockCache } from '../../src/kv/block-cache.ts'
import { decodeEntry, Entry, encodeEntry } from '../../src/kv/entry.ts'
import { slabOfOne } from '../../src/kv/entry-log.ts'
import { above, byteString, bytesOf, KeyMaker } from '../../src/kv/key.ts'
import { versionsNote } from '../../src/kv/maintenance.ts'
import { readSections, SECTION_CARRIED, SECTION_NEW, SectionWriter } from '../../src/kv/section.ts'
import { KvSegment } from '../../src/kv/segment.ts'
import { KvSegmentWriter } from '../../src/kv/segment-writer.ts'
import { Squeezer, unsqueezed } from '../../src/kv/squeeze.ts'
import { seeds } from '../kit/seeds.ts'
import { examplesOf } from './example.ts'
import { Medium, SimFiles } from './sim-host.ts'

const bytes = (text: string) => Buffer.from(text)

function codeOf(work: () => unknown): string | null {
  try {
    work()
    return null
  } catch (error) {
    if (error instanceof VarveError) return error.code
    throw error
  }
}

/** Some bytes changed, cut or added. */
function damage(good: Uint8Array, random: Random): Uint8Array {
  const bad = new Uint8Array(Math.max(0, good.length + (random.chance(0.3) ? random.below(9) - 4 : 0)))
  bad.set(good.subarray(0, bad.length))
  for (let left = random.below(4); left >= 0; left--) bad[random.below(bad.length)] = random.below(256)
  return bad
}

t.test('KeyMaker.stored() makes the bytes of its example', async t => {
  t.same(bytesOf(new KeyMaker(1024).stored('cfg', 'net/ip')), new Uint8Array(examplesOf('src/kv/key.ts')[0]!))
})

t.test('KeyMaker.stored() keeps the order of namespaces and of UTF-8', async t => {
  const keys = new KeyMaker(1024)
  const names = ['', '\0', 'a', 'a\0', 'a!', 'aa', 'z', 'é', 'ﬀ', '𝄞']
  const stored = ['a', 'a-', 'aa'].flatMap(ns => names.map(name => keys.stored(ns, name)))
  t.same(
    [...stored].sort(),
    [...stored].sort((a, b) => Buffer.compare(bytesOf(a), bytesOf(b)))
  )
  t.same(
    stored.filter(key => key >= keys.range('a').low && key < keys.range('a').high),
    names.map(name => keys.stored('a', name))
  )
  t.equal(above('a\xff\xff'), 'b')
  t.equal(keys.stored('a', bytes('é')), keys.stored('a', 'é'))
})

t.test('KeyMaker refuses keys and namespaces outside its limits', async t => {
  const keys = new KeyMaker(8)
  t.equal(
    codeOf(() => keys.stored('a', 'x'.repeat(9))),
    'VARVE_KEY'
  )
  t.equal(
    codeOf(() => keys.stored('a', 'éééé!')),
    'VARVE_KEY'
  )
  for (const ns of ['', 'a b', 'a/b', 'ä', 'x'.repeat(65), 'a\0']) {
    t.equal(
      codeOf(() => keys.stored(ns, 'k')),
      'VARVE_NAMESPACE',
      JSON.stringify(ns)
    )
  }
})

t.test('encodeEntry() and the note kv.versions make the bytes of their examples', async t => {
  const [live, tombstone] = examplesOf('src/kv/entry.ts')
  const out = new ByteWriter()
  encodeEntry(new Entry('n\0k', 7, 1000, bytes('hi')), out)
  t.same(out.copy(), new Uint8Array(live!))
  t.same(decodeEntry('n\0k', live!), new Entry('n\0k', 7, 1000, live!.subarray(3)))
  out.reset()
  encodeEntry(new Entry('n\0k', 8, 0, null), out)
  t.same(out.copy(), new Uint8Array(tombstone!))
  t.ok(decodeEntry('n\0k', tombstone!).deleted)
  const note = versionsNote({ next: 300, flushed: 200, told: 250 })[1]
  t.same(note, new Uint8Array(examplesOf('src/kv/maintenance.ts')[0]!))
})

t.test('readSections() reads the example of its header', async t => {
  const example = examplesOf('src/kv/section.ts')[0]!
  const writer = new SectionWriter(SECTION_NEW)
  writer.add(slabOfOne(new Entry('n\0k', 5, 0, bytes('v'))), 0)
  const out = new ByteWriter()
  writer.drain(out)
  t.same(out.copy(), new Uint8Array(example))
  const found: unknown[] = []
  readSections(example, (kind, entries) => found.push(kind, ...entries.map(e => [e.stored, e.version])))
  t.same(found, [SECTION_NEW, ['n\0k', 5]])
})

t.test('Squeezer makes the bytes of its example, and leaves alone what does not shrink', async t => {
  const even = Uint8Array.from({ length: 64 }, (_, i) => i % 2)
  const out = new ByteWriter()
  new Squeezer(64).put(even, out)
  t.same(out.copy(), new Uint8Array(examplesOf('src/kv/squeeze.ts')[0]!))
  t.same(new Uint8Array(unsqueezed(out.copy())), even)
  const random = new Random(1)
  const noise = Uint8Array.from({ length: 6000 }, () => random.below(256))
  const squeezer = new Squeezer(1)
  let passedOver = 0
  for (let i = 0; i < 1000; i++) {
    out.reset()
    squeezer.put(noise, out)
    t.equal(out.length, noise.length + 1)
    out.reset()
    squeezer.put(even, out)
    if (out.length === even.length + 1) passedOver++
  }
  t.ok(passedOver > 500, `after noise what would shrink is passed over too: ${passedOver} times`)
})

t.test(
  'unsqueezed() answers damaged bytes with a coded error, and makes no more than it is told',
  async t => {
    const out = new ByteWriter()
    new Squeezer(1).put(bytes('{"state":"on"}'.repeat(100)), out)
    const codes = new Set<string | null>()
    for (const seed of seeds(1000)) {
      const bad = damage(out.copy(), new Random(seed))
      codes.add(codeOf(() => t.ok(unsqueezed(bad).length <= 128 * 1024, `VARVE_SEED=${seed}`)))
    }
    t.ok(codes.has('VARVE_SQUEEZED'), [...codes].join(' '))
  }
)

t.test('readSections() answers damaged bytes with a coded error', async t => {
  const out = new ByteWriter()
  for (const [kind, bytesOfValue] of [
    [SECTION_NEW, 3],
    [SECTION_CARRIED, 3],
    [SECTION_NEW, 300]
  ] as const) {
    const writer = new SectionWriter(kind)
    for (let i = 0; i < 20; i++) {
      const value = i % 4 === 0 ? null : bytes(`v${i}`.padEnd(bytesOfValue))
      writer.add(slabOfOne(new Entry(`n\0k${i}`, i + 1, value === null ? 0 : i % 3, value)), 0)
    }
    writer.drain(out)
  }
  const codes = new Set<string | null>()
  for (const seed of seeds(3000)) {
    const bad = damage(out.copy(), new Random(seed))
    try {
      codes.add(codeOf(() => readSections(bad, () => {})))
    } catch (error) {
      t.fail(`VARVE_SEED=${seed}: ${error}`)
    }
  }
  t.ok(
    codes.has('VARVE_TRUNCATED') && codes.has('VARVE_SECTION') && codes.has('VARVE_ENTRY'),
    [...codes].join(' ')
  )
})

async function segmentOf(
  entries: Entry[],
  older: KvSegment[] = []
): Promise<{ medium: Medium; segment: KvSegment }> {
  const medium = new Medium(new Random(1))
  const files = new SimFiles(medium)
  const writer = new KvSegmentWriter(await files.create(1), older)
  for (const entry of entries) writer.add(entry)
  await writer.finish(1, 0)
  return { medium, segment: new KvSegment(1, files.open(1), new BlockCache(1 << 20)) }
}

function someEntries(random: Random, count: number): Entry[] {
  const keys = new Set<string>()
  while (keys.size < count) keys.add(`n\0${'p'.repeat(random.below(4))}/${random.below(count * 4)}`)
  return [...keys].sort().map((key, i) => {
    const value = random.chance(0.1)
      ? null
      : Buffer.alloc(random.below(random.chance(0.02) ? 30_000 : 200), i)
    return new Entry(key, i + 1, value !== null && random.chance(0.2) ? 1000 + i : 0, value)
  })
}

t.test('KvSegment gives back every entry, by key and by range, both ways', async t => {
  for (const seed of seeds(30)) {
    const random = new Random(seed)
    const entries = someEntries(random, 1 + random.below(700))
    const { segment } = await segmentOf(entries)
    const facts = (entry: Entry | undefined) =>
      entry && [entry.stored, entry.version, entry.expiresUs, entry.deleted, entry.value.length]
    const wrong = entries.find(
      entry => JSON.stringify(facts(segment.get(entry.stored))) !== JSON.stringify(facts(entry))
    )
    t.equal(wrong, undefined, `VARVE_SEED=${seed}`)
    t.equal(segment.get('n\0nothing'), undefined)
    for (let i = 0; i < 10; i++) {
      const [a, b] = [`n\0${'p'.repeat(random.below(4))}`, `n\0p/${random.below(900)}`]
      const [low, high] = a < b ? [a, b] : [b, a]
      const reverse = random.chance(0.5)
      const found: string[] = []
      for (const at = segment.cursor(low, high, reverse); at.key !== null; at.next()) found.push(at.key)
      const wanted = entries.map(entry => entry.stored).filter(key => key >= low && key < high)
      t.same(found, reverse ? wanted.reverse() : wanted, `VARVE_SEED=${seed}`)
    }
  }
})

t.test('KvSegment answers damaged blocks and footers with CorruptionError only', async t => {
  const entries = someEntries(new Random(7), 300)
  const { medium } = await segmentOf(entries)
  const good = medium.segments.get(1)!
  const codes = new Map<string | null, number>()
  for (const seed of seeds(600)) {
    const random = new Random(seed)
    const footer = random.chance(0.5)
    medium.segments.set(1, {
      bytes: footer ? good.bytes : damage(good.bytes, random),
      footer: footer ? damage(good.footer, random) : good.footer
    })
    try {
      const code = codeOf(() => {
        const segment = new KvSegment(1, new SimFiles(medium).open(1), new BlockCache(0))
        for (const entry of entries.slice(random.below(250), 300)) segment.get(entry.stored)
        for (const at = segment.cursor('', null, random.chance(0.5)); at.key !== null; at.next()) at.value()
      })
      codes.set(code, (codes.get(code) ?? 0) + 1)
    } catch (error) {
      t.fail(`VARVE_SEED=${seed}: ${error}`)
    }
  }
  t.same(
    [...codes.keys()].filter(code => code !== null),
    ['VARVE_CORRUPTION']
  )
})

t.test('KvSegmentWriter counts what its keys shadow in older segments', async t => {
  const { segment } = await segmentOf(
    Array.from({ length: 100 }, (_, i) => new Entry(`n\0${1000 + i}`, i + 1, 0, bytes('v')))
  )
  const newer = await segmentOf(
    Array.from({ length: 50 }, (_, i) => new Entry(`n\0${1050 + i}`, 200 + i, 0, bytes('w'))),
    [segment]
  )
  t.same([...newer.segment.facts.shadows], [[1, 50]])
  t.equal(newer.segment.facts.versionMin, 200)
  t.equal(new ByteReader(newer.medium.segments.get(1)!.footer).u8(), 1)
  t.equal(byteString(bytesOf(newer.segment.facts.keyMax)), 'n\x001099')
})

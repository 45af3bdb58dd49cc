// Publishes one message with the options of mosquitto_pub that README.md uses, where that is not installed.

import { parseArgs } from 'node:util'
import { connectAsync } from 'mqtt'

const { values } = parseArgs({
  options: {
    port: { type: 'string', short: 'p', default: '1883' },
    qos: { type: 'string', short: 'q', default: '0' },
    topic: { type: 'string', short: 't', default: '' },
    message: { type: 'string', short: 'm', default: '' },
    retain: { type: 'boolean', short: 'r', default: false }
  }
})
const client = await connectAsync(`mqtt://127.0.0.1:${values.port}`)
const qos = Number(values.qos) as 0 | 1 | 2
await client.publishAsync(values.topic, values.message, { qos, retain: values.retain })
await client.endAsync()

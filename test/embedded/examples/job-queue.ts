import assert from 'node:assert/strict'
import { open } from 'varve'

interface Job {
  device: string
  act: 'reboot' | 'update'
}

await using db = await open('jobs')
const jobs = db.queue<Job>('jobs')
await jobs.send({ device: 'dev7', act: 'update' }, { priority: 3 })
await jobs.send({ device: 'dev1', act: 'reboot' }, { priority: 9 })
await jobs.send({ device: 'dev9', act: 'reboot' }, { priority: 0, attemptsMax: 1 })

const done: string[] = []
for await (const message of jobs.messages({ visibilityMs: 10_000 })) {
  const { device, act } = message.body
  if (device === 'dev9') {
    // It cannot be done. After its attempts a message goes to the dead letters.
    await message.nack()
    break
  }
  done.push(`${act} ${device}`)
  await message.ack()
}
assert.deepEqual(done, ['reboot dev1', 'update dev7'])

const [letter] = await jobs.dead.receive()
assert.equal(letter?.body.device, 'dev9')
assert.equal(letter?.origin, 'jobs')

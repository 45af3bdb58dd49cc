// Hot entries beside a plain map: what they give is always the newest, whatever they let go.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { Entry } from '../../src/kv/entry.ts'
import { HotEntries, type Look } from '../../src/kv/hot-entries.ts'
import { KeyBytes } from '../../src/kv/key-bytes.ts'
import { seeds } from '../kit/seeds.ts'

const START = 'n\0'
const key = KeyBytes.of
const put = (hot: HotEntries, entry: Entry) => hot.put(key(entry.stored), entry)

function same(entry: Entry | undefined, look: Look | null, wanted: Entry): boolean {
  if (entry === undefined || look === null) return entry === undefined && look === null
  const value = look.bytes.subarray(look.at, look.at + look.length)
  return [entry, { ...look, value }].every(
    ({ version, expiresUs, value }) =>
      version === wanted.version &&
      expiresUs === wanted.expiresUs &&
      Buffer.compare(value, wanted.value) === 0
  )
}

t.test('get() and look() give the newest of a key or nothing, and keep to their bound', async t => {
  for (const seed of seeds(10)) {
    const random = new Random(seed)
    const bytesMax = random.pick([0, 2000, 40_000])
    const hot = new HotEntries(bytesMax)
    const model = new Map<string, Entry>()
    let found = 0
    for (let step = 1; step < 4000; step++) {
      const stored = `${START}${'k'.repeat(random.below(20))}${String.fromCharCode(random.below(200) + 56)}`
      const action = random.below(4)
      if (action === 0) {
        hot.forget(key(stored))
        model.delete(stored)
      } else if (action === 1) {
        const value = new Uint8Array(random.below(60)).fill(random.below(256))
        const entry = new Entry(stored, step * 2 ** 30, random.chance(0.3) ? 2 ** 50 + step : 0, value)
        hot.forget(key(stored))
        put(hot, entry)
        model.set(stored, entry)
      } else {
        const got = hot.get(key(stored))
        const wanted = model.get(stored)
        const look = hot.look(key(stored))
        const isRight = wanted === undefined ? got === undefined && look === null : same(got, look, wanted)
        if (!isRight) t.fail(`VARVE_SEED=${seed}: step ${step} gives something else`)
        if (got !== undefined) found++
      }
    }
    t.ok(hot.bytes <= bytesMax * 1.25 + 512, `VARVE_SEED=${seed}: ${hot.bytes} bytes`)
    t.equal(found > 0, bytesMax > 0, `VARVE_SEED=${seed}: ${found} were found`)
    hot.clear()
    t.equal(hot.bytes, 0)
  }
})

t.test('what is asked for again stays, and what is not goes', async t => {
  const hot = new HotEntries(64 * 1024)
  const entry = (name: string) => new Entry(`${START}${name}`, 1, 0, new Uint8Array(100))
  for (let j = 0; j < 20; j++) put(hot, entry(`wanted${j}`))
  for (let i = 0; i < 10_000; i++) {
    put(hot, entry(`once${i}`))
    if (i % 50 === 0) for (let j = 0; j < 20; j++) hot.get(key(`${START}wanted${j}`))
  }
  let stayed = 0
  for (let j = 0; j < 20; j++) if (hot.get(key(`${START}wanted${j}`)) !== undefined) stayed++
  t.ok(stayed >= 8, `${stayed} of 20 stayed, wherever the hash puts them`)
  t.notOk(hot.get(key(`${START}once0`)))
  t.ok(hot.get(key(`${START}once9999`)))
})

t.test('what get() gave stays as it was when its place is used again', async t => {
  const hot = new HotEntries(16 * 1024)
  put(hot, new Entry(`${START}a`, 1, 0, new Uint8Array(100).fill(7)))
  const entry = hot.get(key(`${START}a`))!
  for (let i = 0; i < 1000; i++) put(hot, new Entry(`${START}${i}`, 2, 0, new Uint8Array(100).fill(9)))
  t.notOk(hot.get(key(`${START}a`)))
  t.same(entry.value, new Uint8Array(100).fill(7))
})

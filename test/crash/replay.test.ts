// What makes VARVE_SEED worth printing: a cut of the crash matrix is found again by its number alone.
import t from 'tap'
import { type Cut, cutLife } from '../kit/cut-matrix.ts'

/** A life that leaves work under way when its generations end. */
const LIFE = 31

const told = ({ number, fate, path, verdict: { samples, entries } }: Cut): string =>
  [number, fate, path, samples, entries].join(' ')

t.test('a cut is the same by its number, whether those before it are judged or not', async t => {
  const all: string[] = []
  for await (const cut of cutLife(LIFE, { every: 100 })) all.push(told(cut))
  const number = Number(all.at(-2)!.split(' ')[0])
  const alone: string[] = []
  for await (const cut of cutLife(LIFE, { only: number })) alone.push(told(cut))
  t.same(
    alone,
    all.filter(cut => cut.startsWith(`${number} `))
  )
})

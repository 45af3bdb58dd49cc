// Merge patches against the cases that RFC 7396 itself lists.
import t from 'tap'
import { mergePatch, patched } from '../../src/kv/merge-patch.ts'

/** Appendix A: original, patch, result. */
const CASES = [
  ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
  ['{"a":"b"}', '{"a":null}', '{}'],
  ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
  ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
  ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
  ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
  ['["a","b"]', '["c","d"]', '["c","d"]'],
  ['{"a":"b"}', '["c"]', '["c"]'],
  ['{"a":"foo"}', 'null', 'null'],
  ['{"a":"foo"}', '"bar"', '"bar"'],
  ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
  ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
  ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}']
] as const

t.test('patched() gives what RFC 7396 lists', async t => {
  for (const [target, patch, result] of CASES) {
    const found = patched(Buffer.from(target), Buffer.from(patch), 'json')
    t.equal(Buffer.from(found).toString(), result, `${target} with ${patch}`)
  }
})

t.test('mergePatch() leaves its target and every prototype alone', async t => {
  const target = { a: { b: 1 } }
  const merged = mergePatch(target, JSON.parse('{"__proto__":{"x":1},"a":{"b":null}}'))
  t.same(target, { a: { b: 1 } })
  t.equal(({} as { x?: number }).x, undefined)
  t.equal(JSON.stringify(merged), '{"a":{},"__proto__":{"x":1}}')
})

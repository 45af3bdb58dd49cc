// Puts operators, signs and modifiers to the operands they belong to. The official grammar gives modifiers
// the loosest binding (`a + b offset 5m` shifts the sum there) and takes a sign into its number (-2^2 is
// 4); in Prometheus modifiers bind tightest, then powers, then signs. So the grammar's tree is laid out
// again as the sequence it was written in and built anew by precedence.
//
//   expr    := signed (operator expr)*        by precedence, powers to the right, all others to the left
//   signed  := ('-' | '+') signed-power | operand modifier*
// Not here: what an operand, a modifier or an operation becomes (tree-reader.ts).
import type { SyntaxNode } from '@lezer/common'

const MODIFIERS = [
  'OffsetExpr',
  'StepInvariantExpr',
  'MatrixSelector',
  'SubqueryExpr',
  'AnchoredExpr',
  'SmoothedExpr'
]
const POWER = 6
const PRECEDENCE: Readonly<Record<string, number>> = {
  Or: 1,
  And: 2,
  Unless: 2,
  Eql: 3,
  Neq: 3,
  Lte: 3,
  Lss: 3,
  Gte: 3,
  Gtr: 3,
  TrimUpper: 3,
  TrimLower: 3,
  Add: 4,
  Sub: 4,
  Mul: 5,
  Div: 5,
  Mod: 5,
  Atan2: 5,
  Pow: POWER
}

type Item =
  | { readonly is: 'operand'; readonly node: SyntaxNode; readonly from: number }
  | { readonly is: 'sign'; readonly sign: '-' | '+'; readonly from: number }
  | { readonly is: 'modifier'; readonly node: SyntaxNode }
  | { readonly is: 'operator'; readonly operator: SyntaxNode; readonly options: readonly SyntaxNode[] }

/** What to make of the parts. */
export interface Builder<T> {
  /** @param from  where it begins: after its sign */
  operand(node: SyntaxNode, from: number): T
  sign(sign: '-' | '+', from: number, of: T): T
  modifier(node: SyntaxNode, of: T): T
  /** @param options  what stands between the operator and the right side */
  operation(operator: SyntaxNode, options: readonly SyntaxNode[], left: T, right: T): T
}

/** Whether a node is one that must be laid out again. */
export function isInfix(node: SyntaxNode): boolean {
  return ['BinaryExpr', 'UnaryExpr', 'NumberDurationLiteral', ...MODIFIERS].includes(node.name)
}

/** Builds what a node of the grammar's tree stands for. */
export function buildInfix<T>(node: SyntaxNode, text: string, builder: Builder<T>): T {
  const items: Item[] = []
  layOut(node, text, items)
  let at = 0
  const signed = (): T => {
    const item = items[at++]!
    if (item.is === 'sign') return builder.sign(item.sign, item.from, climb(POWER))
    if (item.is !== 'operand') throw new Error('an operand is due')
    let built = builder.operand(item.node, item.from)
    for (let next = items[at]; next?.is === 'modifier'; next = items[++at]) {
      built = builder.modifier(next.node, built)
    }
    return built
  }
  const climb = (least: number): T => {
    let left = signed()
    for (let item = items[at]; item?.is === 'operator'; item = items[at]) {
      const precedence = PRECEDENCE[item.operator.name]!
      if (precedence < least) break
      at++
      const right = climb(precedence === POWER ? POWER : precedence + 1)
      left = builder.operation(item.operator, item.options, left, right)
    }
    return left
  }
  return climb(1)
}

function layOut(node: SyntaxNode, text: string, items: Item[]): void {
  if (node.name === 'NumberDurationLiteral') {
    const sign = text[node.from]!
    const isSigned = sign === '-' || sign === '+'
    if (isSigned) items.push({ is: 'sign', sign, from: node.from })
    const blank = isSigned ? /^.\s*/.exec(text.slice(node.from))![0].length : 0
    items.push({ is: 'operand', node, from: node.from + blank })
    return
  }
  if (!isInfix(node)) {
    items.push({ is: 'operand', node, from: node.from })
    return
  }
  const parts: SyntaxNode[] = []
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (child.name !== 'LineComment') parts.push(child)
  }
  if (node.name === 'UnaryExpr') {
    items.push({ is: 'sign', sign: text[node.from] as '-' | '+', from: node.from })
    layOut(parts[1]!, text, items)
    return
  }
  layOut(parts[0]!, text, items)
  if (node.name === 'BinaryExpr') {
    items.push({ is: 'operator', operator: parts[1]!, options: parts.slice(2, -1) })
    layOut(parts.at(-1)!, text, items)
  } else items.push({ is: 'modifier', node })
}

// From the columns of a SELECT to what is read and computed: wildcards become names, calls are checked and each
// kept once, columns get their names as InfluxDB gives them.
//
// Not here: computing (aggregate.ts), reading (rows.ts).
import type { CallNode, Column, Expr, SelectStatement } from '../../influxql/ast.ts'
import type { Kind } from '../../series/sample.ts'
import { KIND } from '../../series/sample.ts'
import { kindsOf, REDUCERS } from './reduce.ts'
import type { RegexTests } from './regex-tests.ts'
import { statementError } from './statement-error.ts'
import { TRANSFORMS } from './transform.ts'

export interface PlannedCall {
  readonly key: string
  /** A name of REDUCERS; null where a transform takes the values themselves. */
  readonly reducer: string | null
  readonly field: string
  /** The number of percentile(). */
  readonly percentile: number
  readonly transform: { readonly name: string; readonly parameter: number } | null
}

export interface PlannedColumn {
  readonly name: string
  readonly expr: Expr
}

export interface Plan {
  readonly timeName: string
  readonly columns: readonly PlannedColumn[]
  /** None: the rows themselves are asked for. */
  readonly calls: readonly PlannedCall[]
  /** The step of windows, us; 0 for none. */
  readonly stepUs: number
}

/** What there is to choose from. */
export interface Names {
  readonly fields: readonly string[]
  /** Without those of GROUP BY. */
  readonly tags: readonly string[]
  readonly regexes: RegexTests
  kinds(): ReadonlyMap<string, Kind>
}

/** @throws {VarveError} VARVE_INFLUXQL_EVAL for columns that cannot be */
export function planColumns({ columns, groupBy }: SelectStatement, names: Names): Plan {
  const isTime = ({ expr }: Column) =>
    expr.is === 'field' && expr.cast === null && expr.name.toLowerCase() === 'time'
  const timeName = columns.find(isTime)?.alias ?? 'time'
  const asked = columns.filter(column => !isTime(column))
  if (asked.length === 0) throw statementError('at least 1 non-time field must be queried')
  const expanded = asked.flatMap(column => expand(column, names))
  const stepUs = Number(groupBy.stepNs) / 1000
  if (!Number.isInteger(stepUs))
    throw statementError('a GROUP BY interval of less than a microsecond is not there')
  const calls = new Map<string, PlannedCall>()
  let plain = 0
  for (const { expr } of expanded) {
    eachLeaf(expr, leaf => {
      if (leaf.is === 'field') plain++
      else if (leaf.is === 'call') {
        const call = planCall(leaf, stepUs)
        calls.set(call.key, call)
      } else if (leaf.is === 'wildcard' || leaf.is === 'regex')
        throw statementError('unsupported expression with wildcard')
    })
  }
  if (plain > 0 && calls.size > 0)
    throw statementError('mixing aggregate and non-aggregate queries is not supported')
  if (expanded.length > 0 && plain + calls.size === 0)
    throw statementError('at least one field must be queried')
  if (stepUs > 0 && calls.size === 0)
    throw statementError('GROUP BY requires at least one aggregate function')
  if (stepUs > 0 && [...calls.values()].some(call => call.reducer === null)) {
    throw statementError('aggregate function required inside the call to a transformation')
  }
  return { timeName, columns: named(expanded, timeName), calls: [...calls.values()], stepUs }
}

/** Visits what an expression is made of: fields, calls, literals. */
export function eachLeaf(expr: Expr, visit: (leaf: Expr) => void): void {
  if (expr.is === 'paren') eachLeaf(expr.of, visit)
  else if (expr.is === 'binary') {
    eachLeaf(expr.left, visit)
    eachLeaf(expr.right, visit)
  } else visit(expr)
}

function expand(column: Column, names: Names): Column[] {
  const { expr, alias } = column
  if (expr.is === 'wildcard' || expr.is === 'regex') {
    const tags = expr.is === 'wildcard' && expr.of === 'field' ? [] : names.tags
    const fields = expr.is === 'wildcard' && expr.of === 'tag' ? [] : names.fields
    const isWanted = expr.is === 'regex' ? names.regexes.of(expr.source) : () => true
    const found = [
      ...fields.map(name => ({ name, cast: 'field' })),
      ...tags.map(name => ({ name, cast: 'tag' }))
    ]
    return found
      .filter(({ name }) => isWanted(name))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, cast }) => ({ expr: { is: 'field', name, cast }, alias: null }))
  }
  if (expr.is !== 'call') return [column]
  const inner = innermost(expr)
  const [argument] = inner.args
  if (argument?.is !== 'wildcard' && argument?.is !== 'regex') return [column]
  const isWanted = argument.is === 'regex' ? names.regexes.of(argument.source) : () => true
  const wanted = kindsOf(inner.name)
  const kinds = names.kinds()
  return names.fields
    .filter(name => isWanted(name) && wanted.includes(kinds.get(name) ?? KIND.bytes))
    .map(name => ({ expr: withField(expr, name), alias: `${alias ?? expr.name}_${name}` }))
}

function innermost(call: CallNode): CallNode {
  const [first] = call.args
  return first?.is === 'call' ? innermost(first) : call
}

function withField(call: CallNode, name: string): CallNode {
  const [first, ...rest] = call.args
  const inner: Expr = first?.is === 'call' ? withField(first, name) : { is: 'field', name, cast: 'field' }
  return { ...call, args: [inner, ...rest] }
}

/** Names of columns: the alias, or what the expression is made of; one that is taken gets a number. */
function named(columns: readonly Column[], timeName: string): PlannedColumn[] {
  const taken = new Map<string, number>([[timeName, 1]])
  for (const { alias } of columns) if (alias !== null) taken.set(alias, 1)
  return columns.map(({ expr, alias }) => {
    if (alias !== null) return { name: alias, expr }
    let name = exprName(expr)
    let count = taken.get(name)
    if (count !== undefined) {
      while (taken.has(`${name}_${count}`)) count++
      taken.set(name, count + 1)
      name = `${name}_${count}`
    }
    taken.set(name, (taken.get(name) ?? 0) + 1)
    return { name, expr }
  })
}

function exprName(expr: Expr): string {
  if (expr.is === 'paren') return exprName(expr.of)
  if (expr.is === 'field' || expr.is === 'call') return expr.name
  const names: string[] = []
  eachLeaf(expr, leaf => {
    if (leaf.is === 'field' || leaf.is === 'call') names.push(leaf.name)
  })
  return names.join('_')
}

/** The text by which a call is known. */
export function callKey(expr: Expr): string {
  return JSON.stringify(expr, (_, value) => (typeof value === 'bigint' ? `${value}` : value))
}

function planCall(call: CallNode, stepUs: number): PlannedCall {
  const { name, args } = call
  const key = callKey(call)
  if (!Object.hasOwn(TRANSFORMS, name)) return { key, ...planReducer(call), transform: null }
  const [first, second] = args
  const isCounted = name === 'moving_average'
  const most = name.endsWith('difference') || name === 'cumulative_sum' ? 1 : 2
  if (args.length < (isCounted ? 2 : 1) || args.length > most) {
    const wanted = isCounted ? '2' : most === 1 ? '1' : 'at least 1 but no more than 2'
    throw statementError(`invalid number of arguments for ${name}, expected ${wanted}, got ${args.length}`)
  }
  const transform = { name, parameter: transformParameter(name, second, stepUs, first?.is === 'call') }
  if (first!.is === 'call') {
    if (stepUs === 0) throw statementError(`${name} aggregate requires a GROUP BY interval`)
    return { key, ...planReducer(first!), transform }
  }
  if (first!.is !== 'field') throw statementError(`expected field argument in ${name}()`)
  return { key, reducer: null, field: first!.name, percentile: 0, transform }
}

function transformParameter(
  name: string,
  given: Expr | undefined,
  stepUs: number,
  isOfCall: boolean
): number {
  if (name === 'moving_average') {
    if (
      given?.is !== 'number' ||
      !Number.isInteger(given.value) ||
      given.value < 2 ||
      given.value > 1_000_000
    ) {
      throw statementError('moving_average window must be greater than 1')
    }
    return given.value
  }
  if (given === undefined) return name === 'elapsed' ? 0.001 : isOfCall ? stepUs : 1_000_000
  if (given.is !== 'duration')
    throw statementError(`second argument to ${name} must be a duration, got ${given.is}`)
  if (given.ns <= 0n) throw statementError(`duration argument must be positive, got ${given.ns}ns`)
  return Number(given.ns) / 1000
}

function planReducer({ name, args }: CallNode): Pick<PlannedCall, 'reducer' | 'field' | 'percentile'> {
  if (!Object.hasOwn(REDUCERS, name)) {
    throw statementError(
      UNSUPPORTED.includes(name) ? `${name}() is not there` : `undefined function ${name}()`
    )
  }
  const wanted = name === 'percentile' ? 2 : 1
  if (args.length !== wanted) {
    throw statementError(`invalid number of arguments for ${name}, expected ${wanted}, got ${args.length}`)
  }
  const [first, second] = args
  if (name === 'count' && first!.is === 'call' && first!.name === 'distinct') {
    return { ...planReducer(first!), reducer: 'count distinct' }
  }
  if (first!.is !== 'field') throw statementError(`expected field argument in ${name}()`)
  if (second !== undefined && second.is !== 'number')
    throw statementError('expected float argument in percentile()')
  return { reducer: name, field: first!.name, percentile: second?.is === 'number' ? second.value : 0 }
}

/** InfluxDB has them and varve does not. */
const UNSUPPORTED = ['top', 'bottom', 'sample', 'integral', 'histogram', 'holt_winters']

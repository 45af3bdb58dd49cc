// The tree of an InfluxQL text: plain data, posted to a worker as it is. Times and durations are nanoseconds
// in bigints, since no number holds those of today exactly.
// Not here: reading it (parse.ts), what it means (query/influxql).

export type BinaryOp =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | '=~'
  | '!~'
  | 'AND'
  | 'OR'

export interface FieldNode {
  readonly is: 'field'
  readonly name: string
  /** What follows `::`: field, tag, or a type; null when nothing does. */
  readonly cast: string | null
}

export interface CallNode {
  readonly is: 'call'
  readonly name: string
  readonly args: readonly Expr[]
}

export interface BinaryNode {
  readonly is: 'binary'
  readonly op: BinaryOp
  readonly left: Expr
  readonly right: Expr
}

export type Expr =
  | FieldNode
  | CallNode
  | BinaryNode
  | { readonly is: 'paren'; readonly of: Expr }
  /** `text` as it was written, for integers of nanoseconds. */
  | { readonly is: 'number'; readonly value: number; readonly text: string }
  | { readonly is: 'string'; readonly value: string }
  | { readonly is: 'boolean'; readonly value: boolean }
  | { readonly is: 'duration'; readonly ns: bigint }
  | { readonly is: 'regex'; readonly source: string }
  | { readonly is: 'wildcard'; readonly of: 'all' | 'field' | 'tag' }

/** Measurements: by name or by expression. The database and retention policy before it mean nothing here. */
export type Source = { readonly name: string } | { readonly regex: string }

export interface Column {
  readonly expr: Expr
  readonly alias: string | null
}

export interface Sort {
  readonly isDescending: boolean
}

export interface Page {
  readonly limit: number
  readonly offset: number
}

export type Fill = 'null' | 'none' | 'previous' | 'linear' | { readonly value: number }

export interface GroupBy {
  /** 0: no windows. */
  readonly stepNs: bigint
  readonly offsetNs: bigint
  readonly tags: readonly ({ readonly name: string } | { readonly regex: string } | { readonly all: true })[]
}

export interface SelectStatement {
  readonly is: 'select'
  readonly columns: readonly Column[]
  readonly sources: readonly Source[]
  readonly where: Expr | null
  readonly groupBy: GroupBy
  readonly fill: Fill
  readonly isDescending: boolean
  /** Rows of each series; 0: no bound. */
  readonly rows: Page
  /** Series. */
  readonly series: Page
  /** A zone of the IANA database; '' for UTC. */
  readonly zone: string
}

export type ShowKind = 'measurements' | 'field keys' | 'tag keys' | 'tag values' | 'series'

export interface ShowStatement {
  readonly is: 'show'
  readonly of: ShowKind
  readonly sources: readonly Source[]
  /** Which keys of tag values are asked for. */
  readonly key: KeyCondition | null
  readonly where: Expr | null
  readonly isDescending: boolean
  readonly rows: Page
}

export type KeyCondition =
  | { readonly op: '=' | '!='; readonly names: readonly string[] }
  | { readonly op: '=~' | '!~'; readonly regex: string }

export type Statement =
  | SelectStatement
  | ShowStatement
  | { readonly is: 'show databases' }
  | { readonly is: 'show retention policies' }
  | { readonly is: 'create database'; readonly name: string }
  /** One that is understood and not done; its first words. */
  | { readonly is: 'refused'; readonly words: string }

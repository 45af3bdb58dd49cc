// Finds the subscribers of a topic: a tree of topic levels whose nodes hold the subscriptions that end
// there. A subscriber that matches through several filters is found once, with the highest quality of
// service among them (MQTT 3.1.1 section 3.3.5), so one message reaches it once.
//
// Invariants: `epoch` grows with every change, so whoever keeps a match can tell that it is stale; a node
// without subscriptions and children is removed. Not here: who may subscribe (auth.ts).

/** What a subscriber asked for with one filter. The last three are MQTT 5 options, false and 0 below it. */
export interface Subscription {
  qos: 0 | 1 | 2
  noLocal: boolean
  retainAsPublished: boolean
  /** 0 send retained at subscribe, 1 only for a new subscription, 2 never. */
  retainHandling: number
}

/** One subscriber of a topic and how to deliver to it. */
export interface Route<S> {
  subscriber: S
  qos: 0 | 1 | 2
  noLocal: boolean
  retainAsPublished: boolean
}

interface Node<S> {
  children: Map<string, Node<S>>
  subscriptions: Map<S, Subscription>
}

function emptyNode<S>(): Node<S> {
  return { children: new Map(), subscriptions: new Map() }
}

export class SubscriptionTrie<S> {
  private readonly root: Node<S> = emptyNode()
  /** Grows with every change. */
  epoch = 1
  /** Subscriptions held. */
  count = 0

  /** Adds or replaces. */
  add(filter: string, subscriber: S, subscription: Subscription): void {
    let node = this.root
    for (const level of filter.split('/')) {
      let child = node.children.get(level)
      if (child === undefined) {
        child = emptyNode()
        node.children.set(level, child)
      }
      node = child
    }
    if (!node.subscriptions.has(subscriber)) this.count++
    node.subscriptions.set(subscriber, subscription)
    this.epoch++
  }

  /** Removes; false when there was none. */
  remove(filter: string, subscriber: S): boolean {
    const levels = filter.split('/')
    const path: Node<S>[] = [this.root]
    for (const level of levels) {
      const child = path.at(-1)!.children.get(level)
      if (child === undefined) return false
      path.push(child)
    }
    if (!path.at(-1)!.subscriptions.delete(subscriber)) return false
    this.count--
    this.epoch++
    for (let i = levels.length; i > 0; i--) {
      const node = path[i]!
      if (node.subscriptions.size > 0 || node.children.size > 0) break
      path[i - 1]!.children.delete(levels[i - 1]!)
    }
    return true
  }

  /** Whether some filter begins with this level. */
  hasRoot(level: string): boolean {
    return this.root.children.has(level)
  }

  /** Every subscriber of the topic, each once. */
  match(topic: string): Route<S>[] {
    if (this.count === 0) return []
    const found = new Map<S, Route<S>>()
    const levels = topic.split('/')
    const wild = topic.charCodeAt(0) !== 0x24
    this.walk(this.root, levels, 0, wild, found)
    return [...found.values()]
  }

  private walk(node: Node<S>, levels: string[], at: number, wild: boolean, found: Map<S, Route<S>>): void {
    if (wild) {
      const rest = node.children.get('#')
      if (rest !== undefined) collect(rest, found)
    }
    if (at === levels.length) {
      collect(node, found)
      return
    }
    const exact = node.children.get(levels[at]!)
    if (exact !== undefined) this.walk(exact, levels, at + 1, true, found)
    if (!wild) return
    const any = node.children.get('+')
    if (any !== undefined) this.walk(any, levels, at + 1, true, found)
  }
}

function collect<S>(node: Node<S>, found: Map<S, Route<S>>): void {
  for (const [subscriber, { qos, noLocal, retainAsPublished }] of node.subscriptions) {
    const before = found.get(subscriber)
    if (before === undefined) {
      found.set(subscriber, { subscriber, qos, noLocal, retainAsPublished })
      continue
    }
    if (qos > before.qos) before.qos = qos
    before.noLocal &&= noLocal
    before.retainAsPublished ||= retainAsPublished
  }
}

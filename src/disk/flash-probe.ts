// What the system tells of the medium under a directory: which file system, which device, how large, how worn
// by its own account. Reads /proc/self/mountinfo and /sys through a SysTree, so that a test passes a tree of
// text; nothing here fails: what cannot be found is null, and `notes` says why.
//
//   directory -> mount (the longest mount point that holds it) -> source, for overlay its upper directory
//   source -> /sys/class/block/<name> -> below a mapper its first slave -> the whole disk of a partition
//   disk -> size, queue/*, device/{type,name,preferred_erase_size,life_time,pre_eol_info}
//
// life_time holds two numbers (eMMC 5.0, JESD84-B50): 0x01 is up to 10 % used, 0x0a up to 100 %, 0x0b beyond;
// pre_eol_info: 1 normal, 2 most spare blocks are used, 3 nearly all.
// Invariants: every text of the system is parsed as if anything might stand there.
// Not here: what it means for the budget (daemon/wear-control.ts).
import fs from 'node:fs'
import { type FileSystemFacts, USUAL_FILE_SYSTEM } from './metadata-cost.ts'

/** The files of the system, by absolute path. */
export interface SysTree {
  /** Its text without white space at the ends; null when it is not there or must not be read. */
  read(path: string): string | null
  /** Names in a directory; empty when it is not there. */
  list(path: string): string[]
  /** The path without symbolic links; null when it leads nowhere. */
  real(path: string): string | null
}

export type DeviceKind = 'sd' | 'emmc' | 'nvme' | 'loop' | 'disk'

export interface FlashDevice {
  /** As the kernel calls it: "mmcblk0". */
  readonly name: string
  readonly kind: DeviceKind
  /** The maker's name of it; null when it tells none. */
  readonly model: string | null
  /** Of the whole device, all partitions. */
  readonly bytes: number
  readonly eraseBytes: number | null
  readonly isRotational: boolean
  readonly discards: boolean
  /** How much of its life is used by its own account, 0 to 1, the lower and the upper bound; null: it does not say. */
  readonly lifeUsed: readonly [from: number, to: number] | null
  readonly spareBlocks: 'normal' | 'mostly used' | 'nearly used up' | null
}

export interface FlashFacts {
  /** "ext4", "btrfs", ...; null when no mount was found. */
  readonly fileSystem: string | null
  /** How long the file system lets changes of metadata wait, ms. */
  readonly commitMs: number
  /** ext4 mounted with data=journal. */
  readonly logsData: boolean
  readonly device: FlashDevice | null
  /** What is odd or bad about it, as sentences. */
  readonly notes: readonly string[]
}

interface Mount {
  readonly point: string
  readonly type: string
  readonly source: string
  readonly options: string
}

/** What lies under `dir` (absolute, without symbolic links). */
export function probeFlash(dir: string, tree: SysTree): FlashFacts {
  const notes: string[] = []
  const mounts = parseMounts(tree.read('/proc/self/mountinfo') ?? '')
  let mount = mountOf(dir, mounts)
  if (mount?.type === 'overlay') {
    const upper = option(mount.options, 'upperdir')
    const under = upper === null ? null : mountOf(upper, mounts)
    notes.push('The directory lies on an overlay: mount a volume for the data.')
    if (under !== null && under.type !== 'overlay') mount = under
  }
  if (mount === null)
    return { fileSystem: null, commitMs: USUAL_FILE_SYSTEM.commitMs, logsData: false, device: null, notes }
  if (mount.type === 'btrfs') {
    notes.push('btrfs writes 74 to 90 KB for each sync, ext4 4 to 6: use ext4 for the data.')
  }
  if (mount.type === 'tmpfs')
    notes.push('The directory lies in memory (tmpfs): nothing survives a power cut.')
  const logsData = option(mount.options, 'data') === 'journal'
  if (logsData)
    notes.push('data=journal writes everything twice and commits with each sync: mount without it.')
  const seconds = Number(option(mount.options, 'commit'))
  const commitMs = seconds > 0 ? Math.min(seconds, 3600) * 1000 : USUAL_FILE_SYSTEM.commitMs
  const device = deviceOf(mount.source, tree)
  if (device === null) notes.push(`The device of ${mount.source} cannot be found: give flash.size.`)
  else notes.push(...warnings(device))
  return { fileSystem: mount.type, commitMs, logsData, device, notes }
}

/** What the model of metadata needs to know. */
export function fileSystemFacts(
  { fileSystem, commitMs, logsData }: FlashFacts,
  blockBytes: number
): FileSystemFacts {
  return { blockBytes, commitMs, copiesOnWrite: fileSystem === 'btrfs', logsData }
}

/** The device itself says that it should be replaced. */
export function isWornOut(device: FlashDevice): boolean {
  return isAtEnd(device) || device.spareBlocks === 'mostly used'
}

/** The device itself says that it is at its end: every write may be one of the last. */
export function isAtEnd({ spareBlocks, lifeUsed }: FlashDevice): boolean {
  return spareBlocks === 'nearly used up' || (lifeUsed !== null && lifeUsed[1] > 1)
}

function warnings({ name, spareBlocks, lifeUsed, isRotational, discards }: FlashDevice): string[] {
  const found: string[] = []
  if (spareBlocks === 'mostly used' || spareBlocks === 'nearly used up')
    found.push(`${name} says that its spare blocks are ${spareBlocks}: replace it.`)
  if (lifeUsed !== null && lifeUsed[1] > 1) found.push(`${name} says that its life is over: replace it.`)
  if (isRotational && !discards)
    found.push(`${name} is a turning disk: flash.endurance means nothing for it.`)
  return found
}

/** mountinfo: id parent major:minor root point options [tags] - type source super-options */
export function parseMounts(text: string): Mount[] {
  const mounts: Mount[] = []
  for (const line of text.split('\n')) {
    const [own = '', rest] = line.split(' - ')
    const point = own.split(' ')[4]
    const [type, source, superOptions = ''] = rest?.split(' ') ?? []
    if (point === undefined || type === undefined || source === undefined) continue
    mounts.push({
      point: plainText(point),
      type,
      source: plainText(source),
      options: plainText(superOptions)
    })
  }
  return mounts
}

/** Space, tab, newline and backslash are written as octal. */
function plainText(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

/** The mount that holds a path: the longest point, of equal ones the last, which covers the others. */
function mountOf(path: string, mounts: readonly Mount[]): Mount | null {
  let best: Mount | null = null
  for (const mount of mounts) {
    const isAbove = mount.point === '/' || path === mount.point || path.startsWith(`${mount.point}/`)
    if (isAbove && (best === null || mount.point.length >= best.point.length)) best = mount
  }
  return best
}

function option(options: string, name: string): string | null {
  const found = options.split(',').find(one => one.startsWith(`${name}=`))
  return found?.slice(name.length + 1) ?? null
}

/** Steps from a mapper to what it maps, at most. */
const SLAVES_MAX = 8

function deviceOf(source: string, tree: SysTree): FlashDevice | null {
  if (!source.startsWith('/dev/')) return null
  const node = tree.real(source) ?? source
  let path = tree.real(`/sys/class/block/${node.slice(node.lastIndexOf('/') + 1)}`)
  for (let left = SLAVES_MAX; path !== null && left > 0; left--) {
    if (tree.read(`${path}/partition`) !== null) path = path.slice(0, path.lastIndexOf('/'))
    const slave = tree.list(`${path}/slaves`).sort()[0]
    if (slave === undefined) break
    path = tree.real(`/sys/class/block/${slave}`)
  }
  return path === null ? null : describeDevice(path, tree)
}

/** @param path  the directory of a whole disk in /sys */
export function describeDevice(path: string, tree: SysTree): FlashDevice | null {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const sectors = whole(tree.read(`${path}/size`))
  if (sectors === null || sectors === 0) return null
  const type = tree.read(`${path}/device/type`)
  return {
    name,
    kind: kindOf(name, type),
    model: tree.read(`${path}/device/name`) || tree.read(`${path}/device/model`) || null,
    bytes: sectors * 512,
    eraseBytes: whole(tree.read(`${path}/device/preferred_erase_size`)) || null,
    isRotational: tree.read(`${path}/queue/rotational`) === '1' && !name.startsWith('loop'),
    discards: (whole(tree.read(`${path}/queue/discard_max_bytes`)) ?? 0) > 0,
    lifeUsed: lifeUsed(tree.read(`${path}/device/life_time`)),
    spareBlocks: spareBlocks(tree.read(`${path}/device/pre_eol_info`))
  }
}

function kindOf(name: string, type: string | null): DeviceKind {
  if (name.startsWith('mmcblk')) return type === 'SD' ? 'sd' : 'emmc'
  if (name.startsWith('nvme')) return 'nvme'
  return name.startsWith('loop') ? 'loop' : 'disk'
}

function whole(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null
}

/** The worse of the two kinds of memory that an eMMC tells of. */
function lifeUsed(text: string | null): [number, number] | null {
  const steps = (text?.match(/0x[\da-f]{1,2}(?![\da-f])/gi) ?? [])
    .map(Number)
    .filter(step => step >= 1 && step <= 11)
  if (steps.length === 0) return null
  const worst = Math.max(...steps)
  return [(worst - 1) / 10, worst / 10]
}

function spareBlocks(text: string | null): FlashDevice['spareBlocks'] {
  const states = [null, 'normal', 'mostly used', 'nearly used up'] as const
  return text !== null && /^0x0?[1-3]$/i.test(text) ? states[Number(text)]! : null
}

/** The tree of this machine. */
export const systemTree: SysTree = {
  read: path => quietly(() => fs.readFileSync(path, 'utf8').trim()),
  list: path => quietly(() => fs.readdirSync(path)) ?? [],
  real: path => quietly(() => fs.realpathSync(path))
}

/** Null where the system says no: what /sys holds differs from kernel to kernel, and from device to device. */
function quietly<T>(ask: () => T): T | null {
  try {
    return ask()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error
    return null
  }
}

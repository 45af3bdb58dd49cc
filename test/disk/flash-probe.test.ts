import t from 'tap'
import { Random } from '../../src/base/random.ts'
import {
  fileSystemFacts,
  isAtEnd,
  isWornOut,
  probeFlash,
  type SysTree,
  systemTree
} from '../../src/disk/flash-probe.ts'
import { seeds } from '../kit/seeds.ts'

/** A system of text: files by path, links by path. */
function treeOf(
  files: Readonly<Record<string, string>>,
  links: Readonly<Record<string, string>> = {}
): SysTree {
  const real = (path: string): string => {
    for (const [from, to] of Object.entries(links)) {
      if (path === from || path.startsWith(`${from}/`)) return to + path.slice(from.length)
    }
    return path
  }
  return {
    read: path => files[real(path)]?.trim() ?? null,
    list: path =>
      [...new Set(Object.keys(files).filter(one => one.startsWith(`${real(path)}/`)))].map(
        one => one.slice(real(path).length + 1).split('/')[0]!
      ),
    real: path => {
      const found = real(path)
      return Object.keys(files).some(one => one === found || one.startsWith(`${found}/`)) ? found : null
    }
  }
}

const mount = (point: string, type: string, source: string, options = 'rw') =>
  `36 35 98:0 / ${point} rw,noatime shared:1 - ${type} ${source} ${options}\n`
const sdPath = '/sys/devices/platform/soc/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0'
const sd = {
  [`${sdPath}/size`]: '62333952\n',
  [`${sdPath}/queue/rotational`]: '0\n',
  [`${sdPath}/queue/discard_max_bytes`]: '4194304\n',
  [`${sdPath}/device/type`]: 'SD\n',
  [`${sdPath}/device/name`]: 'SD32G\n',
  [`${sdPath}/device/preferred_erase_size`]: '4194304\n',
  [`${sdPath}/mmcblk0p2/partition`]: '2\n',
  [`${sdPath}/mmcblk0p2/size`]: '61800448\n'
}
const sdLinks = { '/sys/class/block/mmcblk0p2': `${sdPath}/mmcblk0p2`, '/sys/class/block/mmcblk0': sdPath }

t.test('probeFlash() finds the whole card under a partition', async t => {
  const mounts = mount('/', 'ext4', '/dev/mmcblk0p2', 'rw,commit=60') + mount('/var/lib', 'tmpfs', 'tmpfs')
  const tree = treeOf({ ...sd, '/proc/self/mountinfo': mounts }, sdLinks)
  const facts = probeFlash('/home/pi/data', tree)
  t.same(facts, {
    fileSystem: 'ext4',
    commitMs: 60_000,
    logsData: false,
    device: {
      name: 'mmcblk0',
      kind: 'sd',
      model: 'SD32G',
      bytes: 62333952 * 512,
      eraseBytes: 4 * 2 ** 20,
      isRotational: false,
      discards: true,
      lifeUsed: null,
      spareBlocks: null
    },
    notes: []
  })
  const usual = { blockBytes: 4096, commitMs: 60_000, copiesOnWrite: false, logsData: false }
  t.same(fileSystemFacts(facts, 4096), usual)
  const logging = mount('/', 'ext4', '/dev/mmcblk0p2', 'rw,data=journal')
  t.match(probeFlash('/data', treeOf({ ...sd, '/proc/self/mountinfo': logging }, sdLinks)), {
    logsData: true,
    notes: [/data=journal writes everything twice/]
  })
  t.match(probeFlash('/var/lib/varve', tree), {
    fileSystem: 'tmpfs',
    device: null,
    notes: [/memory/, /flash\.size/]
  })
})

t.test('probeFlash() reads what an eMMC says of its life, and follows a mapper', async t => {
  const path = '/sys/devices/emmc/block/mmcblk1'
  const files = {
    [`${path}/size`]: '30777344',
    [`${path}/device/type`]: 'MMC',
    [`${path}/device/name`]: 'DG4016',
    [`${path}/device/life_time`]: '0x02 0x0b',
    [`${path}/device/pre_eol_info`]: '0x02',
    '/sys/devices/virtual/block/dm-0/size': '999',
    '/sys/devices/virtual/block/dm-0/slaves/mmcblk1': '',
    '/dev/dm-0': '',
    '/proc/self/mountinfo': mount('/data\\040here', 'btrfs', '/dev/mapper/crypt')
  }
  const links = {
    '/dev/mapper/crypt': '/dev/dm-0',
    '/sys/class/block/dm-0': '/sys/devices/virtual/block/dm-0',
    '/sys/class/block/mmcblk1': path
  }
  t.match(probeFlash('/data here/x', treeOf(files, links)), {
    fileSystem: 'btrfs',
    device: {
      kind: 'emmc',
      model: 'DG4016',
      lifeUsed: [1, 1.1],
      spareBlocks: 'mostly used',
      eraseBytes: null
    },
    notes: [/btrfs/, /spare blocks are mostly used/, /life is over/]
  })
  const { device } = probeFlash('/data here/x', treeOf(files, links))
  const says = (change: object) => [isWornOut, isAtEnd].map(asks => asks({ ...device!, ...change }))
  t.same(says({}), [true, true])
  t.same(says({ lifeUsed: [0.9, 1] }), [true, false], 'most spare blocks are used: replace it soon')
  t.same(says({ lifeUsed: null, spareBlocks: 'nearly used up' }), [true, true])
  t.same(says({ lifeUsed: null, spareBlocks: 'normal' }), [false, false])
})

t.test('probeFlash() tells loop, nvme and overlay apart, and knows nothing rather than guess', async t => {
  const disk = (name: string, more: Record<string, string> = {}) => ({
    [`/sys/class/block/${name}/size`]: '1000',
    [`/sys/class/block/${name}/queue/rotational`]: '1',
    ...more
  })
  const probe = (dir: string, files: Record<string, string>) => probeFlash(dir, treeOf(files))
  const loop = { ...disk('loop3'), '/proc/self/mountinfo': mount('/m', 'ext4', '/dev/loop3') }
  t.match(probe('/m/a', loop), { device: { kind: 'loop', bytes: 512_000, isRotational: false }, notes: [] })
  t.same(probe('/mother', loop), {
    fileSystem: null,
    commitMs: 5000,
    logsData: false,
    device: null,
    notes: []
  })
  const nvme = {
    ...disk('nvme0n1', { '/sys/class/block/nvme0n1/queue/rotational': '0' }),
    '/sys/class/block/nvme0n1/device/model': 'Fast',
    '/proc/self/mountinfo':
      mount('/', 'overlay', 'overlay', 'rw,lowerdir=/l,upperdir=/docker/1/diff') +
      mount('/docker', 'xfs', '/dev/nvme0n1')
  }
  t.match(probe('/data', nvme), {
    fileSystem: 'xfs',
    device: { kind: 'nvme', model: 'Fast' },
    notes: [/overlay/]
  })
  const closed = { '/proc/self/mountinfo': mount('/', 'overlay', 'overlay', 'rw,upperdir=/gone') }
  t.match(probe('/data', closed), { fileSystem: 'overlay', device: null, notes: [/overlay/, /flash\.size/] })
  const turning = { ...disk('sda'), '/proc/self/mountinfo': mount('/', 'ext4', '/dev/sda') }
  t.match(probe('/', turning), { device: { kind: 'disk', isRotational: true }, notes: [/turning/] })
})

t.test('probeFlash() bears any text', async t => {
  const paths = [...Object.keys(sd), '/proc/self/mountinfo']
  for (const seed of seeds(300)) {
    const random = new Random(seed)
    const files: Record<string, string> = {
      ...sd,
      '/proc/self/mountinfo': mount('/', 'ext4', '/dev/mmcblk0p2')
    }
    for (let i = 0; i < 3; i++) {
      const path = paths[random.below(paths.length)]!
      const text = [...files[path]!]
      for (let n = random.below(6); n >= 0; n--)
        text.splice(random.below(text.length + 1), random.below(2), String.fromCharCode(random.below(256)))
      files[path] = text.join('')
    }
    const { device, commitMs } = probeFlash('/data', treeOf(files, sdLinks))
    const isSane = device === null || (device.bytes > 0 && Number.isSafeInteger(device.bytes))
    t.ok(isSane && commitMs > 0, `VARVE_SEED=${seed}`)
  }
  t.type(probeFlash('/', systemTree).notes, Array, 'the tree of this machine')
})

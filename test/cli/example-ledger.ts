// The ledger of a card after ten even days, as a daemon tells it.
import type { WearLedger } from '../../src/cli/doors.ts'

export const DAY = 86_400_000
export const LEDGER: WearLedger = {
  sinceMs: Date.UTC(2026, 0, 1),
  untilMs: Date.UTC(2026, 0, 11),
  samples: 1_000_000_000,
  bytes: { wal: 3e9, segment: 1e9 },
  programmedBytes: 12e9,
  days: Array.from({ length: 10 }, (_, i) => ({
    dayMs: Date.UTC(2026, 0, 1) + i * DAY,
    bytes: { wal: 3e8, segment: 1e8 },
    programmedBytes: 12e8
  })),
  mediumBytes: 32e9,
  flash: {
    device: 'mmcblk0',
    kind: 'emmc',
    model: 'DG4016',
    deviceBytes: 32e9,
    eraseBytes: 4 * 2 ** 20,
    spareBlocks: 'normal',
    fileSystem: 'btrfs',
    lifeUsed: null,
    notes: ['btrfs writes more.']
  },
  control: {
    state: 'over',
    why: 'too much is written',
    allowedBytesPerDay: 2 ** 30,
    waitMs: 1000,
    earlyBytesPerDay: 0,
    flushBytes: 2 ** 25,
    merges: false,
    rollups: true
  }
}

// What `varve wear` makes of a ledger: projections, plots, warnings.
import t from 'tap'
import { ledgerBody, parseLedger } from '../../src/cli/wear-body.ts'
import { wearReport } from '../../src/cli/wear-report.ts'
import { DAY, LEDGER } from './example-ledger.ts'
import { runWith } from './kit.ts'

t.test('wear projects the life of the medium, which doubles with it', async t => {
  const medium = { bytes: 32e9, endurance: 1000, lifeMs: 3650 * DAY, amplification: null }
  const report = wearReport(LEDGER, medium)
  t.match(report, { total: 4e9, perSample: 4, perDay: 4e8, programmedPerDay: 12e8, amplification: 3 })
  t.equal(Math.round(report.lifeMs! / DAY), Math.round(32e12 / 12e8))
  t.equal(Math.round(report.endMs! / DAY), Math.round(LEDGER.untilMs / DAY + 32e12 / 12e8 - 10))
  t.equal(wearReport(LEDGER, { ...medium, bytes: 64e9 }).lifeMs, 2 * report.lifeMs!)
  t.equal(wearReport(LEDGER, { ...medium, endurance: 500 }).lifeMs, report.lifeMs! / 2)
  t.equal(wearReport(LEDGER, { ...medium, amplification: 6 }).lifeMs, report.lifeMs! / 2)
  t.equal(Math.round(report.budgetPerDay), Math.round(32e12 / 3650))
  const old = wearReport({ ...LEDGER, flash: { ...LEDGER.flash!, lifeUsed: [0.9, 1] } }, medium)
  t.equal(old.used, 0.9, 'what the device says of itself counts where it is more')
  t.ok(Math.abs((old.endMs! - LEDGER.untilMs) / (0.1 * old.lifeMs!) - 1) < 1e-9)
  const idle = wearReport({ ...LEDGER, untilMs: LEDGER.sinceMs, bytes: {}, days: [], samples: 0 }, medium)
  t.match(idle, { total: 0, perSample: null, perDay: null, lifeMs: null })
  t.same(parseLedger(JSON.parse(JSON.stringify(ledgerBody(LEDGER)))), LEDGER)
  for (const bad of [
    null,
    [],
    {},
    { ...ledgerBody(LEDGER), samples: -1 },
    { ...ledgerBody(LEDGER), days: [5] },
    { ...ledgerBody(LEDGER), control: {} },
    { ...ledgerBody(LEDGER), flash: { life_used: [] } }
  ]) {
    t.throws(() => parseLedger(bad), { code: 'VARVE_ANSWER' })
  }
})

t.test('wear takes the mean of the days on the calendar, also of those without a byte', async t => {
  const medium = { bytes: 32e9, endurance: 1000, lifeMs: 3650 * DAY, amplification: null }
  const first = LEDGER.days[0]!
  const gap = { ...LEDGER, untilMs: LEDGER.untilMs + 10 * DAY }
  t.equal(Math.round(wearReport(gap, medium).perDay!), 2e8)
  // A first day of years ago, before the clock was set, is not in the last thirty.
  const wrong = { ...LEDGER, sinceMs: 0, days: [{ ...first, dayMs: 0 }, ...LEDGER.days] }
  t.match(wearReport(wrong, medium), { rateDays: 29, perDay: 4e9 / 29 })
})

t.test('wear prints causes, the plot by day and its assumptions, for a card that was pulled', async t => {
  const doors = { readLedger: async () => LEDGER }
  const { code, out } = await runWith(
    ['wear', '--data', '/card', '--size', '32GB', '--endurance', '500', '--life', '5y'],
    { doors, columns: 120 }
  )
  t.equal(code, 0)
  t.match(out, /^WARNING: btrfs writes more\.\n/)
  t.match(out, /wal +2\.79 GiB +75\.0 % +3\.00 +286 MiB\n/)
  t.match(out, /all +3\.73 GiB +100\.0 % +4\.00 +381 MiB\n/)
  t.match(out, /Projected: 36y \d+d in all, until 20\d\d-\d\d-\d\d, meant to last 5y/)
  t.match(out, /Size 29\.8 GiB .*\n +Endurance 500 full writes.*\n +Write amplification 3\.00 \(estimated/)
  t.equal(out.split('\n').filter(line => /^ {2}2026-01-\d\d +381 MiB \|w+s+$/.test(line)).length, 10)
  t.match(out, /\n +\+(-+\+){2,4}\n +0 +.*381 MiB\n {2}w wal, s segment\n/)
  t.match(
    out,
    /\nMedium: mmcblk0 \(emmc, DG4016\), btrfs, 29\.8 GiB, erases 4 MiB at once, spare blocks normal/
  )
  t.match(
    out,
    /\nNow: over, too much is written\n {2}1 GiB a day may .*\n.* wait 1000 ms .*\n.*32 MiB in memory, merges wait\n/
  )
  const silent = await runWith(['wear', '--data', '/card'], {
    doors: { readLedger: async () => ({ ...LEDGER, flash: null, control: null }) }
  })
  t.notMatch(silent.out, /Medium:|Now:|WARNING/)
  const json = await runWith(['wear', '--data', '/card', '--json', '--amplification', '1.5'], { doors })
  const { projection, ...body } = JSON.parse(json.out)
  t.same(body, ledgerBody(LEDGER), 'what the daemon answers')
  t.match(projection, { medium_bytes: 32e9, endurance: 1000, bytes_per_sample: 4, amplification: 1.5 })
  const { out: help } = await runWith(['help', 'wear'])
  for (const name of [...Object.keys(body), ...Object.keys(projection)])
    t.ok(help.includes(name), `the help says what ${name} is`)
  t.match(await runWith(['wear', '--data', '/card', '--endurance', '0'], { doors }), { code: 1 })
  t.match(await runWith(['wear', '--data', '/card', '--amplification', '0.5'], { doors }), { code: 1 })
})

t.test('wear warns when the budget is used up or will be before its time, in any width', async t => {
  const shown = async (ledger: object, columns: number, ...more: string[]) => {
    const doors = { readLedger: async () => ({ ...LEDGER, ...ledger }) }
    return (await runWith(['wear', '--data', '/card', '--size', '32GB', ...more], { doors, columns })).out
  }
  t.match(await shown({}, 80, '--endurance', '10', '--life', '10y'), /WARNING: at this rate .* the 10y that/)
  const worn = {
    ...LEDGER.flash!,
    lifeUsed: [1, 1.1],
    notes: ['mmcblk0 says that its life is over: replace it.']
  }
  t.match(await shown({ flash: worn }, 80), /^WARNING: mmcblk0 says.*\nWARNING: the budget .* used up/)
  const days = Array.from({ length: 200 }, (_, i) => ({
    ...LEDGER.days[0]!,
    dayMs: LEDGER.sinceMs + i * DAY
  }))
  for (const columns of [40, 80, 120]) {
    const out = await shown({ days, untilMs: LEDGER.sinceMs + 199.5 * DAY }, columns)
    const widest = Math.max(...out.split('\n').map(line => line.length))
    t.ok(widest <= Math.max(columns, 56), `${widest} of ${columns} columns`)
    t.match(out, /\nBytes written a day, mean of each month\n {2}2026-01 +381 MiB \|/)
    t.equal(out.match(/^ {2}2026-\d\d-\d\d /gm)?.length, 30)
  }
})

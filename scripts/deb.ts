// Makes the Debian package of one executable: unit, user, default configuration, manual page, licences.
// The fixed files live in deploy/debian; here they are put in their places and packed by dpkg-deb, so no
// debhelper is needed. lintian must find nothing but what deploy/debian/lintian-overrides explains; when
// lintian is not installed that is said and the package is made all the same.
//
// Files are root's whoever builds (--root-owner-group) and dated by SOURCE_DATE_EPOCH or the last commit,
// so the same commit gives the same package.
// Not here: the executable (package.ts).

import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { root, version } from './build.ts'

const debianNames = { x64: 'amd64', arm64: 'arm64' } as const
const source = join(root, 'deploy/debian')

/** The licence of every npm package inside the bundle, as its authors wrote it. */
function thirdParty(packages: readonly string[]): string {
  const parts = ['Varve contains the following packages and Node.js, each under its own licence.\n']
  const one = (name: string, dir: string) => {
    const { version, license } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
    const file = readdirSync(dir).find(entry => /^licen[cs]e/i.test(entry))
    const text =
      file === undefined ? '(the package carries no licence text)' : readFileSync(join(dir, file), 'utf8')
    parts.push(`\n==== ${name} ${version} (${JSON.stringify(license)})\n\n${text.trim()}\n`)
  }
  one('Node.js', join(root, 'node_modules', `node-linux-${process.arch}`))
  for (const name of packages) one(name, join(root, 'node_modules', name))
  return parts.join('')
}

function buildTimeS(): number {
  const given = process.env.SOURCE_DATE_EPOCH
  if (given !== undefined) return Number(given)
  return Number(execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' }))
}

/** Fills @NAME@ in a template of deploy/debian. */
function filled(name: string, values: Readonly<Record<string, string>>): string {
  return readFileSync(join(source, name), 'utf8').replace(/@([A-Z]+)@/g, (_, key: string) => {
    const value = values[key]
    if (value === undefined) throw new Error(`Cannot fill ${name}: nothing known of @${key}@`)
    return value
  })
}

/** Writes dist/varve_<version>_<arch>.deb and lints it; returns its path. */
export function buildDeb(
  architecture: keyof typeof debianNames,
  executable: string,
  packages: readonly string[]
): string {
  const debian = debianNames[architecture]
  const tree = join(root, 'dist', `deb-${debian}`)
  const timeS = buildTimeS()
  const files: string[] = []
  rmSync(tree, { recursive: true, force: true })
  const place = (path: string, content: string | Uint8Array, mode = 0o644) => {
    const file = join(tree, path)
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 })
    writeFileSync(file, content)
    chmodSync(file, mode)
    files.push(file)
  }
  const gzip = (text: string) => gzipSync(text, { level: 9 })
  mkdirSync(join(tree, 'usr/bin'), { recursive: true })
  copyFileSync(executable, join(tree, 'usr/bin/varve'))
  chmodSync(join(tree, 'usr/bin/varve'), 0o755)
  place('lib/systemd/system/varve.service', readFileSync(join(root, 'systemd/varve.service')))
  place('usr/lib/sysusers.d/varve.conf', readFileSync(join(source, 'sysusers.conf')))
  place('etc/varve/varve.toml', readFileSync(join(root, 'deploy/varve.toml')))
  place('usr/share/doc/varve/copyright', readFileSync(join(source, 'copyright')))
  place('usr/share/doc/varve/third-party.txt.gz', gzip(thirdParty(packages)))
  const date = new Date(timeS * 1000).toUTCString().replace('GMT', '+0000')
  place('usr/share/doc/varve/changelog.gz', gzip(filled('changelog', { VERSION: version(), DATE: date })))
  place('usr/share/man/man1/varve.1.gz', gzip(readFileSync(join(source, 'varve.1'), 'utf8')))
  place('usr/share/lintian/overrides/varve', readFileSync(join(source, 'lintian-overrides')))
  const bytes = [...files, join(tree, 'usr/bin/varve')].reduce((sum, file) => sum + statSync(file).size, 0)
  const values = { VERSION: version(), ARCHITECTURE: debian, KIB: String(Math.ceil(bytes / 1024)) }
  place('DEBIAN/control', filled('control', values))
  place('DEBIAN/conffiles', '/etc/varve/varve.toml\n')
  for (const script of ['postinst', 'prerm', 'postrm'])
    place(`DEBIAN/${script}`, filled(script, values), 0o755)
  for (const file of files) utimesSync(file, timeS, timeS)

  const deb = join(root, 'dist', `varve_${version()}_${debian}.deb`)
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '-z6', '--build', tree, deb], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(timeS) },
    stdio: ['ignore', 'ignore', 'inherit']
  })
  rmSync(tree, { recursive: true })
  lint(deb)
  return deb
}

/** @throws when lintian finds what no override explains */
function lint(deb: string): void {
  if (!existsSync('/usr/bin/lintian')) {
    console.log('lintian is not installed: the package was not linted')
    return
  }
  const { stdout, stderr, status } = spawnSync('lintian', ['--allow-root', deb], {
    encoding: 'utf8'
  })
  const found = `${stdout}${stderr}`.split('\n').filter(line => line !== '' && !line.startsWith('N:'))
  if (status !== 0 || found.length > 0)
    throw new Error(`Cannot accept ${deb}: lintian says\n${stdout}${stderr}`)
  console.log('lintian: nothing to say')
}

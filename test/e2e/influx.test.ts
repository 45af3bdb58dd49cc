// InfluxDB's own clients against varve: the library that Home Assistant uses, called as Home Assistant does, and
// the command line.
import { execFileSync, spawnSync } from 'node:child_process'
import t from 'tap'
import { serve, temporary } from './daemon.ts'
import { absent } from './prometheus.ts'

/** Debian's, which has Debian's packages. */
const PYTHON = '/usr/bin/python3'
const hasPython = spawnSync(PYTHON, ['-c', 'import influxdb'], { stdio: 'ignore' }).status === 0

/** What homeassistant/components/influxdb and its sensor do with the client, in this order. */
const HOME_ASSISTANT = `
import sys
from influxdb import InfluxDBClient
client = InfluxDBClient(host='127.0.0.1', port=int(sys.argv[1]), database='home_assistant', verify_ssl=False, timeout=20)
client.write_points([])
print(client.get_list_database())
client.create_database('home_assistant')
points = [
  {'measurement': '°C', 'tags': {'domain': 'sensor', 'entity_id': 'küche'}, 'time': 1700000000 + i,
   'fields': {'value': 20.0 + i, 'friendly_name_str': 'Küche'}} for i in range(4)]
points.append({'measurement': 'light.desk', 'tags': {'domain': 'light', 'entity_id': 'desk'}, 'time': 1700000000,
   'fields': {'state': 'on', 'value': 1.0, 'on': True}})
print(client.write_points(points, time_precision='s'))
print(sorted(m['name'] for m in client.get_list_measurements()))
result = client.query('select mean("value") as value from "°C" where "entity_id" = \\'küche\\'')
print(list(result.get_points()))
result = client.query('select last("state") as value from "light.desk"')
print(list(result.get_points()))
print([p for r in client.query('SELECT value FROM "°C"', epoch='s', chunked=True, chunk_size=3) for p in r.get_points()])
print(list(client.query('SELECT value FROM "°C" WHERE entity_id = $id LIMIT 1', bind_params={'id': 'küche'}).get_points()))
print(client.get_list_series(measurement='light.desk'), client.get_list_retention_policies())
import datetime
when = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=30)
print(client.write_points([{'measurement': 'W', 'tags': {'domain': 'sensor', 'entity_id': 'meter'}, 'time': when,
  'fields': {'value': 41.5, 'device_class_str': 'power', 'friendly_name_str': 'Zähler "1"'}}], time_precision=None))
sensor = "select {0}({1}) as value from {2} where {3}"
for group, field, measurement, where in [('mean', 'value', '"W"', "time > now() - 1h and entity_id = 'meter'"),
    ('last', 'friendly_name_str', 'W', "time > now() - 1h"), ('max', 'value', '"none"', 'time > now() - 1h')]:
  points = list(client.query(sensor.format(group, field, measurement, where), database='home_assistant').get_points())
  print(len(points) and points[0].get('value'))
print([db['name'] for db in client.query('SHOW DATABASES;').get_points()])
client.close()
try:
  client.query('SELECT mean(value FROM x')
except Exception as error:
  print(type(error).__name__, error.code)
`

const skipPython = hasPython ? false : 'python3-influxdb is not installed'

t.test("Home Assistant's client connects, writes and reads", { skip: skipPython }, async t => {
  const varve = await serve(t, temporary(t))
  const { port } = new URL(varve.httpUrl)
  const out = execFileSync(PYTHON, ['-c', HOME_ASSISTANT, port], { encoding: 'utf8' }).trimEnd().split('\n')
  t.strictSame(out, [
    "[{'name': 'varve'}, {'name': 'home_assistant'}]",
    'True',
    "['light.desk', '°C']",
    "[{'time': '1970-01-01T00:00:00Z', 'value': 21.5}]",
    "[{'time': '2023-11-14T22:13:20Z', 'value': 'on'}]",
    "[{'time': 1700000000, 'value': 20}, {'time': 1700000001, 'value': 21}, {'time': 1700000002, 'value': 22}, {'time': 1700000003, 'value': 23}]",
    "[{'time': '2023-11-14T22:13:20Z', 'value': 20}]",
    "['light.desk,domain=light,entity_id=desk'] [{'name': 'autogen', 'duration': '0s', 'shardGroupDuration': '168h0m0s', 'replicaN': 1, 'default': True}]",
    'True',
    '41.5',
    'Zähler "1"',
    '0',
    "['varve', 'home_assistant']",
    'InfluxDBClientError 400'
  ])
})

t.test(
  "InfluxDB's command line connects, writes and reads",
  { skip: absent('influx', '-version') },
  async t => {
    const varve = await serve(t, temporary(t))
    const { port } = new URL(varve.httpUrl)
    const influx = (...args: string[]) =>
      execFileSync('influx', ['-host', '127.0.0.1', '-port', port, ...args], { encoding: 'utf8' })
    influx('-database', 'mine', '-execute', 'INSERT room,site=a value=1.5 1700000000000000000')
    const csv = influx(
      '-database',
      'mine',
      '-format',
      'csv',
      '-precision',
      's',
      '-execute',
      'SELECT * FROM room'
    )
    t.equal(csv, 'name,time,site,value\nroom,1700000000,a,1.5\n')
    t.match(influx('-database', 'mine', '-execute', 'SHOW TAG KEYS'), /name: room\ntagKey\n-+\nsite/)
    const failed = spawnSync('influx', ['-host', '127.0.0.1', '-port', port, '-execute', 'SELEC'], {
      encoding: 'utf8'
    })
    t.match(failed.stderr + failed.stdout, /error parsing query: found SELEC/)
  }
)

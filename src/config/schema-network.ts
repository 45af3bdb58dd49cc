// The entries of what faces the network: the broker and the HTTP server.
// Not here: how the entries are read (load.ts), what must hold between them (check.ts).
import { choice, count, duration, flag, port, portOrOff, size, tables, text, texts } from './entry.ts'

export const mqtt = {
  host: text({
    key: 'mqtt.host',
    default: 'auto',
    min: 1,
    max: 255,
    what: 'Address to listen on for MQTT, MQTT over TLS and WebSocket; "auto" is 127.0.0.1 until a user or mqtt.allow_anonymous is configured, then every address.',
    why: 'A broker that is open to a network by mistake is found within hours; mosquitto 2 does the same.'
  }),
  port: port({
    key: 'mqtt.port',
    default: 1883,
    what: 'TCP port of MQTT.',
    why: 'The registered port, so that devices connect unchanged.'
  }),
  wsPort: portOrOff({
    key: 'mqtt.ws_port',
    default: 9001,
    what: 'TCP port of MQTT over WebSocket; "off" opens none.',
    why: 'The port that mosquitto documentation uses, so that browsers connect unchanged.'
  }),
  tlsPort: port({
    key: 'mqtt.tls_port',
    default: 8883,
    what: 'TCP port of MQTT over TLS; opened when mqtt.tls_cert and mqtt.tls_key are set.',
    why: 'The registered port of MQTT over TLS.'
  }),
  tlsCert: text({
    key: 'mqtt.tls_cert',
    default: '',
    max: 4096,
    what: 'File of the certificate chain in PEM; "" opens no TLS port.',
    why: 'A certificate names a host, so there can be no default.'
  }),
  tlsKey: text({
    key: 'mqtt.tls_key',
    default: '',
    max: 4096,
    what: 'File of the private key in PEM that belongs to mqtt.tls_cert.',
    why: 'It stays a file of its own so that only its path is in the configuration.'
  }),
  allowAnonymous: flag({
    key: 'mqtt.allow_anonymous',
    default: false,
    what: 'Clients may connect without a name and password. On loopback they may until a user is configured.',
    why: 'Explicit consent before anybody on the network may publish.'
  }),
  users: tables({
    key: 'mqtt.users',
    default: [],
    rowsMax: 10_000,
    live: true,
    columns: {
      name: text({
        key: 'name',
        min: 1,
        max: 256,
        what: 'User name as in CONNECT.',
        why: 'MQTT has no other identity.'
      }),
      password: text({
        key: 'password',
        min: 1,
        max: 1024,
        secret: true,
        what: 'Password as in CONNECT, or its hash in the form scrypt$log2N$r$p$salt$key (base64).',
        why: 'Keep the file readable by varve only (mode 0640, group varve).'
      }),
      publish: texts({
        key: 'publish',
        default: ['#'],
        itemsMax: 1000,
        itemMax: 1024,
        what: 'Topic filters that the user may publish to. "#" does not cover topics that begin with "$": "$kv/#" and "$varve/#" are named.',
        why: 'One device that is taken over should not speak for the others.'
      }),
      subscribe: texts({
        key: 'subscribe',
        default: ['#'],
        itemsMax: 1000,
        itemMax: 1024,
        what: 'Topic filters that the user may subscribe to. "#" does not cover "$kv/#" and "$varve/reply/%c".',
        why: 'One device that is taken over should not hear the others.'
      })
    },
    what: 'Who may connect, and what they may publish and subscribe to.',
    why: 'The first user opens the broker to the network (mqtt.host = "auto").'
  }),
  packetMax: size({
    key: 'mqtt.packet_max',
    default: '1MiB',
    min: '1KiB',
    max: '256MiB',
    what: 'Largest packet accepted; a larger one closes the connection.',
    why: 'MQTT allows 256 MiB, which a Pi cannot hold for every connection.'
  }),
  connectionsMax: count({
    key: 'mqtt.connections_max',
    default: 5000,
    min: 1,
    max: 100_000,
    what: 'Connections at the same time; further ones are closed at once.',
    why: 'An idle connection costs about 25 kB (measured), so 5000 are 125 MB at worst.'
  }),
  connectTimeout: duration({
    key: 'mqtt.connect_timeout',
    default: '10s',
    min: '100ms',
    max: '5m',
    what: 'Time from the opening of a socket to its complete CONNECT.',
    why: 'A socket that never speaks must not keep a place.'
  }),
  inflightMessagesMax: count({
    key: 'mqtt.inflight_messages_max',
    default: 1000,
    min: 1,
    max: 65_535,
    what: 'Messages of one client that wait for their acknowledgement; its socket is not read beyond.',
    why: 'At one sync a second this bounds a client to so many messages a second; mosquitto has 20.'
  }),
  inflightBytesMax: size({
    key: 'mqtt.inflight_bytes_max',
    default: '32MiB',
    min: '64KiB',
    max: '4GiB',
    what: 'Bytes of all clients that wait for the sync; sockets are not read beyond.',
    why: 'Back-pressure instead of memory when the medium is slower than the network.'
  }),
  outgoingBytesMax: size({
    key: 'mqtt.outgoing_bytes_max',
    default: '1MiB',
    min: '16KiB',
    max: '256MiB',
    what: 'Bytes that may wait to be sent to one subscriber; beyond, its QoS 0 messages are dropped and counted.',
    why: 'A slow subscriber costs bounded memory; who publishes waits for it 50 ms at most, once until it has caught up.'
  }),
  outgoingTotalMax: size({
    key: 'mqtt.outgoing_total_max',
    default: '16MiB',
    min: '1MiB',
    max: '1GiB',
    what: 'The same for all subscribers together: each may queue as much as is left of it, and 16 KiB in any case.',
    why: 'A hundred slow subscribers share an eighth of memory.max instead of taking a hundred times the bound of one.'
  }),
  sessionMessagesMax: count({
    key: 'mqtt.session_messages_max',
    default: 1000,
    min: 0,
    max: 1_000_000,
    what: 'Messages kept for one persistent session while its client is away; the oldest go first.',
    why: 'A client that never comes back must not fill memory.'
  }),
  retainedMessagesMax: count({
    key: 'mqtt.retained_messages_max',
    default: 100_000,
    min: 0,
    max: 10_000_000,
    what: 'Topics that may have a retained message; a message that would add one is refused.',
    why: 'Each is kept for ever until its topic is cleared.'
  }),
  retainedBytesMax: size({
    key: 'mqtt.retained_bytes_max',
    default: '1MiB',
    min: '0B',
    max: '16MiB',
    what: 'Largest payload of a retained message.',
    why: 'A retained message is an entry of the store, whose values are bounded.'
  }),
  sysInterval: duration({
    key: 'mqtt.sys_interval',
    default: '10s',
    min: '1s',
    max: '1h',
    what: 'Time between two publications of the $SYS topics.',
    why: 'As mosquitto does, so that dashboards of $SYS keep working.'
  })
}

export const http = {
  host: text({
    key: 'http.host',
    default: 'auto',
    min: 1,
    max: 255,
    what: 'Address to listen on for HTTP; "auto" is 127.0.0.1 until a token or http.allow_anonymous is configured, then every address.',
    why: 'The same rule as mqtt.host.'
  }),
  port: port({
    key: 'http.port',
    default: 8086,
    what: 'TCP port of HTTP: console, queries, Influx write, /metrics, /health.',
    why: 'The port of InfluxDB, so that Telegraf and Home Assistant connect unchanged.'
  }),
  allowAnonymous: flag({
    key: 'http.allow_anonymous',
    default: false,
    what: 'Requests need no token. On loopback they need none until a token is configured.',
    why: 'Explicit consent before anybody on the network may read and write.'
  }),
  tokens: tables({
    key: 'http.tokens',
    default: [],
    rowsMax: 1000,
    live: true,
    columns: {
      name: text({
        key: 'name',
        min: 1,
        max: 256,
        what: 'Who holds the token, for the log; also the user name of basic authentication.',
        why: 'A token in a log would be a secret in a log.'
      }),
      token: text({
        key: 'token',
        min: 8,
        max: 1024,
        secret: true,
        what: 'The token of "Authorization: Bearer" or "Token", or the password of basic authentication; or its hash as sha256:<64 hexadecimal digits>.',
        why: 'Influx clients send one of the three; below 8 characters it would be guessed.'
      }),
      role: choice({
        key: 'role',
        of: ['read', 'write', 'admin'],
        what: 'read: queries; write: queries and writes; admin: everything.',
        why: 'A dashboard must not be able to write.'
      })
    },
    what: 'Who may call the HTTP API, and what for.',
    why: 'The first token opens HTTP to the network (http.host = "auto").'
  }),
  bodyMax: size({
    key: 'http.body_max',
    default: '32MiB',
    min: '64KiB',
    max: '1GiB',
    what: 'Largest body of a request as sent.',
    why: 'InfluxDB takes 25 MB by default; clients tune their batches to it.'
  }),
  inflatedMax: size({
    key: 'http.inflated_max',
    default: '128MiB',
    min: '64KiB',
    max: '4GiB',
    what: 'Largest body of a request after gzip is undone.',
    why: 'gzip may inflate a thousandfold: 32 MiB would be 32 GiB.'
  }),
  inflightBytesMax: size({
    key: 'http.inflight_bytes_max',
    default: '64MiB',
    min: '1MiB',
    max: '4GiB',
    what: 'Bytes of writes that wait for the sync; further writes are answered 503 with Retry-After.',
    why: 'Back-pressure instead of memory; clients such as Telegraf keep and repeat a batch on 503.'
  }),
  connectionsMax: count({
    key: 'http.connections_max',
    default: 512,
    min: 1,
    max: 65_535,
    what: 'Connections at the same time; for a further one that without a request for longest is closed.',
    why: 'Bounds memory and file descriptors.'
  }),
  tailClientsMax: count({
    key: 'http.tail_clients_max',
    default: 16,
    min: 0,
    max: 1000,
    what: 'Clients that may follow /v1/tail at the same time; one more is answered 503. 0: nobody.',
    why: 'Each holds up to 1 MiB and costs time for every row that it follows.'
  }),
  requestTimeout: duration({
    key: 'http.request_timeout',
    default: '60s',
    min: '1s',
    max: '1h',
    what: 'Time for the whole of a request to arrive.',
    why: 'A request that drips must not keep its memory.'
  }),
  idleTimeout: duration({
    key: 'http.idle_timeout',
    default: '75s',
    min: '1s',
    max: '1h',
    what: 'Time that a connection may stay open between two requests.',
    why: 'A little more than the 60s after which common proxies close, so that they close first.'
  })
}

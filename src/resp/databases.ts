// The numbered databases, and SWAPDB: a database has the namespaces of a place, and two of them exchange their places, so
// that it costs one entry however many keys they hold.
//
//   namespace redis.places   key "databases"   value := place u8 of each database, 16 of them
// Without that entry each database is in the place of its number. Example: 0 and 1 exchanged =
// 01 00 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
//
// Invariants: every place is one database's; the entry is written before anybody sees the exchange.
// Not here: what lies in a place (database.ts).
import { VarveError } from '../base/errors.ts'
import { type ChangeListener, Database, type DatabaseParts } from './database.ts'
import { Elements } from './elements.ts'
import type { Graveyard } from './graveyard.ts'
import { fail } from './reply-error.ts'
import type { Space } from './space.ts'

export const DATABASES = 16
const PLACES = 'redis.places'
const KEY = 'databases'

export class Databases {
  private readonly parts: DatabaseParts
  private readonly opened: (Database | undefined)[] = []
  private readonly places: number[]

  /** @throws {VarveError} VARVE_RESP_PLACES when what is stored is no order of places */
  constructor(space: Space, graveyard: Graveyard, listener: ChangeListener) {
    this.parts = { space, graveyard, listener, elements: new Elements(space) }
    this.places = readPlaces(space.get(PLACES, KEY)?.value)
    space.takeWait()
  }

  /** The database of a number. @throws {ReplyError} */
  get(index: number): Database {
    if (!Number.isInteger(index) || index < 0 || index >= DATABASES) fail('ERR DB index is out of range')
    return (this.opened[index] ??= new Database(index, this.places[index]!, this.parts))
  }

  /** The database that is in a place now. */
  at(place: number): Database {
    return this.get(this.places.indexOf(place))
  }

  /** What was under the number of one is under that of the other from now on. */
  exchange(a: Database, b: Database): void {
    const places = [...this.places]
    ;[places[a.index], places[b.index]] = [b.place, a.place]
    this.parts.space.put(PLACES, KEY, Uint8Array.from(places))
    this.places.splice(0, DATABASES, ...places)
    a.exchange(b)
  }
}

/** The place of each database. @throws {VarveError} VARVE_RESP_PLACES */
export function readPlaces(value: Uint8Array | undefined): number[] {
  const all = Array.from({ length: DATABASES }, (_, i) => i)
  if (value === undefined) return all
  const places = [...value]
  if (places.length !== DATABASES || all.some(place => !places.includes(place))) {
    throw new VarveError(
      'VARVE_RESP_PLACES',
      `Cannot open the databases of RESP: ${PLACES}/${KEY} is not ${DATABASES} different places`
    )
  }
  return places
}

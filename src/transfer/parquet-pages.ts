// Looks at the pages of a row group before its columns are read: the library makes room for as many values as the
// head of a page states, and as a run of its levels does, so one changed byte would fill memory for minutes.
//
// Levels of pages of the second version are looked at (ours, DuckDB's); runs that are compressed are not.
// Not here: reading (parquet-read.ts).
import type { AsyncBuffer, FileMetaData } from 'hyparquet'
import { parquetHeader } from 'hyparquet/src/column.js'

/** Writers make pages of 1 MiB or so. */
const PAGE_BYTES_MAX = 256 * 1024 ** 2

type Column = FileMetaData['row_groups'][number]['columns'][number]

/** @throws {Error} that says what is wrong */
export async function checkPages(file: AsyncBuffer, columns: readonly Column[]): Promise<void> {
  for (const { meta_data: facts } of columns) {
    if (facts === undefined) throw new Error('a column has no metadata')
    const start = Number(facts.dictionary_page_offset || facts.data_page_offset)
    const end = start + Number(facts.total_compressed_size)
    if (!(start >= 0 && start <= end && end <= file.byteLength))
      throw new Error('a column is not in the file')
    const view = new DataView(await file.slice(start, end))
    const reader = { view, offset: 0 }
    for (let left = Number(facts.num_values); left > 0 && reader.offset < view.byteLength; ) {
      const head = parquetHeader(reader)
      const page = head.data_page_header ?? head.data_page_header_v2
      const values = page?.num_values ?? head.dictionary_page_header?.num_values ?? 0
      const { compressed_page_size: bytes, uncompressed_page_size: whole } = head
      const isFit =
        bytes >= 0 && reader.offset + bytes <= view.byteLength && whole >= 0 && whole <= PAGE_BYTES_MAX
      if (!isFit || values < 0 || values > left) throw new Error('the head of a page is damaged')
      const levels = head.data_page_header_v2
      if (levels !== undefined) {
        const from = reader.offset + levels.repetition_levels_byte_length
        const bytesOfLevels = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
        checkLevels(bytesOfLevels, from, from + levels.definition_levels_byte_length, values)
      }
      if (page !== undefined) left -= values
      reader.offset += bytes
    }
  }
}

/** Runs of levels of one bit, RLE or packed, of so many values. @throws {Error} */
function checkLevels(bytes: Uint8Array, from: number, to: number, values: number): void {
  const damaged = () => new Error('the levels of a page are damaged')
  if (!(from >= 0 && to >= from && to <= bytes.length)) throw damaged()
  let seen = 0
  for (let at = from; at < to && seen < values; ) {
    let run = 0
    let scale = 1
    for (let byte = 128; byte >= 128; scale *= 128) {
      if (at >= to) throw damaged()
      byte = bytes[at++]!
      run += (byte & 127) * scale
    }
    const count = Math.floor(run / 2)
    const isPacked = run % 2 === 1
    seen += isPacked ? count * 8 : count
    // Packed ones come in eights.
    if (seen > values + (isPacked ? 7 : 0)) throw damaged()
    at += isPacked ? count : 1
  }
}

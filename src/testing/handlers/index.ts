import { serve, type ServedApi } from '../handler.js'
import { apiVersionsHandler } from './api-versions.js'
import { fetchHandler } from './fetch.js'
import { listOffsetsHandler } from './list-offsets.js'
import { metadataHandler } from './metadata.js'
import { produceHandler } from './produce.js'

/** Everything that a broker of some release can be asked, by API key. */
export function makeHandlers(): ReadonlyMap<number, ServedApi> {
  const served: ServedApi[] = [
    serve('Produce', produceHandler),
    serve('Fetch', fetchHandler),
    serve('ListOffsets', listOffsetsHandler),
    serve('Metadata', metadataHandler),
    serve('ApiVersions', apiVersionsHandler(() => served.map(({ info }) => info))),
  ]
  return new Map(served.map((api) => [api.info.key, api]))
}

import { serve, type ServedApi } from '../handler.js'
import { apiVersionsHandler } from './api-versions.js'
import { createTopicsHandler } from './create-topics.js'
import { deleteTopicsHandler } from './delete-topics.js'
import { describeClusterHandler } from './describe-cluster.js'
import { fetchHandler } from './fetch.js'
import { findCoordinatorHandler } from './find-coordinator.js'
import { initProducerIdHandler } from './init-producer-id.js'
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
    serve('CreateTopics', createTopicsHandler),
    serve('DeleteTopics', deleteTopicsHandler),
    serve('DescribeCluster', describeClusterHandler),
    serve('FindCoordinator', findCoordinatorHandler),
    serve('InitProducerId', initProducerIdHandler),
    serve('ApiVersions', apiVersionsHandler(() => served.map(({ info }) => info))),
  ]
  return new Map(served.map((api) => [api.info.key, api]))
}

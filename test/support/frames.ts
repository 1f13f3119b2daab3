import type { RequestEncoder } from '../../src/protocol/api.js'
import { encodeRequest } from '../../src/protocol/frame.js'

/** A request as it goes on the wire, in one piece. */
export function encodeRequestFrame<Request>(
  api: RequestEncoder<Request>,
  version: number,
  correlationId: number,
  clientId: string | null,
  request: Request,
  capacity?: number,
): Buffer {
  return Buffer.concat(encodeRequest(api, version, correlationId, clientId, request, capacity))
}

/*
 * SaslAuthenticate, key 36, versions 0 to 2, flexible from 2. Carries one token of the mechanism that SaslHandshake
 * chose, and the broker's answer to it (KIP-152).
 *
 *   1  response: sessionLifetimeMs, after which the client must have authenticated anew (KIP-368)
 *   2  flexible
 */
import type { Api } from '../api.js'

const FLEXIBLE_FROM = 2

export interface SaslAuthenticateRequest {
  readonly authBytes: Buffer
}

export interface SaslAuthenticateResponse {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly authBytes: Buffer
  /** 0: without limit. */
  readonly sessionLifetimeMs: number
}

export const saslAuthenticate: Api<SaslAuthenticateRequest, SaslAuthenticateResponse> = {
  key: 36,
  name: 'SaslAuthenticate',
  minVersion: 0,
  maxVersion: 2,
  flexibleFrom: FLEXIBLE_FROM,

  encodeRequest(writer, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeBytes(request.authBytes, flexible)
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const request = { authBytes: reader.readBytes(flexible) }
    if (flexible) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeInt16(response.errorCode)
    writer.writeString(response.errorMessage, flexible)
    writer.writeBytes(response.authBytes, flexible)
    if (version >= 1) writer.writeInt64(response.sessionLifetimeMs)
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const response = {
      errorCode: reader.readInt16(),
      errorMessage: reader.readNullableString(flexible),
      authBytes: reader.readBytes(flexible),
      sessionLifetimeMs: version >= 1 ? reader.readInt64() : 0,
    }
    if (flexible) reader.readTaggedFields()
    return response
  },

  /** As much as the tokens of any mechanism need. */
  maxResponseBytes: () => 1024 * 1024,
}

/*
 * SaslHandshake, key 17, versions 0 and 1, never flexible. Chooses the mechanism to authenticate with (KIP-43).
 *
 *   0  the mechanism's tokens follow bare: a four-byte size and the token, without header or error code
 *   1  they follow inside SaslAuthenticate requests (KIP-152)
 */
import type { Api } from '../api.js'

export interface SaslHandshakeRequest {
  readonly mechanism: string
}

export interface SaslHandshakeResponse {
  readonly errorCode: number
  /** What the broker would accept. */
  readonly mechanisms: readonly string[]
}

export const saslHandshake: Api<SaslHandshakeRequest, SaslHandshakeResponse> = {
  key: 17,
  name: 'SaslHandshake',
  minVersion: 0,
  maxVersion: 1,
  flexibleFrom: Infinity,

  encodeRequest(writer, _version, request) {
    writer.writeString(request.mechanism)
  },

  decodeRequest(reader) {
    return { mechanism: reader.readString() }
  },

  encodeResponse(writer, _version, response) {
    writer.writeInt16(response.errorCode)
    writer.writeArray(response.mechanisms, false, (mechanism) => writer.writeString(mechanism))
  },

  decodeResponse(reader) {
    return {
      errorCode: reader.readInt16(),
      mechanisms: reader.readArray(false, () => reader.readString()),
    }
  },
}

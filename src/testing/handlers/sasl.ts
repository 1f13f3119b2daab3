import { saslAuthenticate, type SaslAuthenticateRequest, type SaslAuthenticateResponse } from '../../protocol/apis/sasl-authenticate.js'
import { saslHandshake, type SaslHandshakeRequest, type SaslHandshakeResponse } from '../../protocol/apis/sasl-handshake.js'
import type { Handler } from '../handler.js'

const ILLEGAL_SASL_STATE = 34

// On a listener without SASL; one with it has a SaslSession in front.

export const saslHandshakeHandler: Handler<SaslHandshakeRequest, SaslHandshakeResponse> = {
  api: saslHandshake,
  answer: () => ({ errorCode: ILLEGAL_SASL_STATE, mechanisms: [] }),
}

export const saslAuthenticateHandler: Handler<SaslAuthenticateRequest, SaslAuthenticateResponse> = {
  api: saslAuthenticate,
  answer: () => ({ errorCode: ILLEGAL_SASL_STATE, errorMessage: null, authBytes: Buffer.alloc(0), sessionLifetimeMs: 0 }),
}

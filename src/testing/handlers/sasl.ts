import {
  saslAuthenticate,
  type SaslAuthenticateRequest,
  type SaslAuthenticateResponse,
} from '../../protocol/apis/sasl-authenticate.js'
import {
  saslHandshake,
  type SaslHandshakeRequest,
  type SaslHandshakeResponse,
} from '../../protocol/apis/sasl-handshake.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import type { Handler } from '../handler.js'
import { NO_HANDSHAKE } from '../security/sasl-server.js'

/** The version after which tokens come bare. */
const BARE_TOKENS = 0

// A listener without SASL has no session.

export const saslHandshakeHandler: Handler<SaslHandshakeRequest, SaslHandshakeResponse> = {
  api: saslHandshake,
  answer({ mechanism }, { faults, sasl, version }) {
    const errorCode = faults.errorFor()?.code
    return (
      sasl?.handshake(mechanism, version === BARE_TOKENS, errorCode) ?? {
        errorCode: errorCode ?? ErrorCodes.ILLEGAL_SASL_STATE,
        mechanisms: [],
      }
    )
  },
}

export const saslAuthenticateHandler: Handler<SaslAuthenticateRequest, SaslAuthenticateResponse> = {
  api: saslAuthenticate,
  answer({ authBytes }, { faults, sasl }) {
    const errorCode = faults.errorFor()?.code
    return (
      sasl?.authenticate(authBytes, errorCode) ?? {
        errorCode: errorCode ?? ErrorCodes.ILLEGAL_SASL_STATE,
        errorMessage: errorCode === undefined ? NO_HANDSHAKE : null,
        authBytes: Buffer.alloc(0),
        sessionLifetimeMs: 0,
      }
    )
  },
}

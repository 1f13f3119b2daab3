import {
  AuthenticationError,
  BrokerNotAllowedError,
  ConnectionFailedError,
  TlsError,
  UnsupportedVersionError,
  type KafkaProducerError,
} from '../../errors.js'
import { formatAddress, type BrokerAddress } from '../streams/connect.js'

export const ZOOKEEPER_PORT = 2181

/**
 * What opening a session fails with, for whatever cause.
 *
 * @param retriesSecurity whether what TLS or the credentials failed at is to be tried again like any other failure
 */
export function sessionFailure(
  address: BrokerAddress,
  cause: KafkaProducerError,
  retriesSecurity: boolean,
): KafkaProducerError {
  const isOfSecurity = cause instanceof TlsError || cause instanceof AuthenticationError
  if (isOfSecurity && (cause.retriable || !retriesSecurity)) return cause
  const isClear = cause instanceof ConnectionFailedError || cause instanceof BrokerNotAllowedError
  if (isClear || cause instanceof UnsupportedVersionError) return cause
  const hint = address.port === ZOOKEEPER_PORT ? `; port ${address.port} is ZooKeeper’s: give that of a broker` : ''
  return new ConnectionFailedError(
    `${formatAddress(address)} accepted a connection but set up no session: ${cause.message}${hint}`,
    { cause },
  )
}

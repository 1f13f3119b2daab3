import { connect, type AddressInfo, type Server } from 'node:net'
import { onTestFinished } from 'vitest'
import { BrokerConnection } from '../../../../src/network/connection/broker-connection.js'
import type { BrokerAddress } from '../../../../src/network/streams/connect.js'

/** A connection to this peer, which listens from now on; both end with the test. */
export async function connectedTo(peer: Server): Promise<{ address: BrokerAddress; connection: BrokerConnection }> {
  await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve))
  const address = { host: '127.0.0.1', port: (peer.address() as AddressInfo).port }
  const connection = new BrokerConnection(connect(address), address, {
    clientId: 'test',
    maxResponseBytes: 10_000,
    maxIdleMs: 60_000,
  })
  onTestFinished(async () => {
    await connection.close(0)
    peer.close()
  })
  return { address, connection }
}

import { brokerCases } from '../cases/brokers.js'
import { failureCases } from '../cases/failures.js'
import { autoPartitions } from '../cases/partitions.js'
import { cluster } from '../support/fixture.js'

const three = cluster({
  brokers: 3,
  config: {
    'num.partitions': String(autoPartitions),
    'default.replication.factor': '3',
    // How long the others hang on a frozen broker; half a minute by default.
    'replica.socket.timeout.ms': '2000',
    'controller.socket.timeout.ms': '2000',
  },
})

brokerCases(three)
failureCases(three)

import { connectionCases, brokerIdleMs } from '../cases/connections.js'
import { idempotenceCases } from '../cases/idempotence.js'
import { limitCases } from '../cases/limits.js'
import { messageCases } from '../cases/messages.js'
import { autoPartitions, partitionCases } from '../cases/partitions.js'
import { cluster } from '../support/fixture.js'

const one = cluster({
  brokers: 1,
  config: {
    'num.partitions': String(autoPartitions),
    'connections.max.idle.ms': String(brokerIdleMs),
    // Longer than a test pauses it. Kafka 0.10.2 has been seen to never tell of a topic made as its session ended.
    'zookeeper.session.timeout.ms': '20000',
    'broker.session.timeout.ms': '20000',
  },
})

messageCases(one)
partitionCases(one)
limitCases(one)
connectionCases(one)
idempotenceCases(one)

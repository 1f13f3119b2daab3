import { transactionCases } from '../cases/transactions.js'
import { cluster } from '../support/fixture.js'

transactionCases(
  cluster({
    brokers: 3,
    config: { 'default.replication.factor': '3', 'min.insync.replicas': '2', 'group.min.session.timeout.ms': '500' },
    topics: { 'tx-settled': { partitions: 1, replicationFactor: 3 } },
  }),
)

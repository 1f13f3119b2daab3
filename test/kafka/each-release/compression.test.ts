import { compressionCases } from '../cases/compression.js'
import { cluster } from '../support/fixture.js'

compressionCases(cluster({ brokers: 1 }))

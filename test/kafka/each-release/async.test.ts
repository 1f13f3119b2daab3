import { asyncCases } from '../cases/async.js'
import { cluster } from '../support/fixture.js'

asyncCases(cluster({ brokers: 1 }))

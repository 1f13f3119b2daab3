export type { KafkaProducerInstrumentationConfig } from './config.js'
export { KafkaProducerInstrumentation } from './instrumentation.js'

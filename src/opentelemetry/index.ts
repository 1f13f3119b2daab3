export { KafkaProducerInstrumentation, type KafkaProducerInstrumentationConfig } from './instrumentation.js'

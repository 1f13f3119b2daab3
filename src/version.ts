/** This package's version, as it names itself to brokers (KIP-511). Checked against package.json by a test. */
export const VERSION = '0.1.0'

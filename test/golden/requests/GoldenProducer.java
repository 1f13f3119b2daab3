import java.lang.reflect.Constructor;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Sends messages of every kind with the Java producer of the release whose jars it runs on:
 *
 *   GoldenProducer.java <bootstrap> <topic> <acks> [property=value ...]
 *
 * Timestamps came with 0.10 and headers with 0.11: their constructors are looked for.
 */
public class GoldenProducer {
  static final long TIME = 1_700_000_000_000L;

  public static void main(String[] args) throws Exception {
    Properties config = new Properties();
    config.put("bootstrap.servers", args[0]);
    config.put("acks", args[2]);
    // All in one batch.
    config.put("linger.ms", "300");
    config.put("client.id", "golden");
    for (String serializer : new String[] {"key.serializer", "value.serializer"})
      config.put(serializer, "org.apache.kafka.common.serialization.ByteArraySerializer");
    for (int i = 3; i < args.length; i++) {
      String[] pair = args[i].split("=", 2);
      config.put(pair[0], pair[1]);
    }
    KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(config);
    List<Future<?>> sent = new ArrayList<>();
    sent.add(producer.send(record(args[1], 0, "key", "value", "trace", "a1", "trace", "a2", "none", null, "empty", "")));
    sent.add(producer.send(record(args[1], 1, null, "no key")));
    sent.add(producer.send(record(args[1], 1, "tombstone", null)));
    sent.add(producer.send(record(args[1], 70_000, "", "")));
    sent.add(producer.send(record(args[1], -12_345, "größe 雪", "grüße 🙂", "größe-雪-🙂", "ß雪🙂")));
    sent.add(producer.send(record(args[1], 2, null, null)));
    for (Future<?> one : sent) one.get();
    producer.close();
  }

  static byte[] utf8(String text) {
    return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
  }

  static ProducerRecord<byte[], byte[]> record(String topic, long time, String key, String value, String... headers) throws Exception {
    ProducerRecord<byte[], byte[]> record;
    try {
      @SuppressWarnings("unchecked")
      Constructor<ProducerRecord<byte[], byte[]>> timed = (Constructor<ProducerRecord<byte[], byte[]>>) (Constructor<?>)
        ProducerRecord.class.getConstructor(String.class, Integer.class, Long.class, Object.class, Object.class);
      record = timed.newInstance(topic, 0, TIME + time, utf8(key), utf8(value));
    } catch (NoSuchMethodException old) {
      return new ProducerRecord<>(topic, 0, utf8(key), utf8(value));
    }
    try {
      Object list = ProducerRecord.class.getMethod("headers").invoke(record);
      var add = Class.forName("org.apache.kafka.common.header.Headers").getMethod("add", String.class, byte[].class);
      for (int i = 0; i < headers.length; i += 2) add.invoke(list, headers[i], utf8(headers[i + 1]));
    } catch (NoSuchMethodException old) {
      // Before 0.11.
    }
    return record;
  }
}

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import kafka.javaapi.producer.Producer;
import kafka.producer.KeyedMessage;
import kafka.producer.ProducerConfig;

/**
 * Sends messages of every kind with the producer that Kafka 0.8 and 0.9 have in Scala:
 *
 *   GoldenScalaProducer.java <bootstrap> <topic> <acks> [property=value ...]
 */
public class GoldenScalaProducer {
  public static void main(String[] args) {
    Properties config = new Properties();
    config.put("metadata.broker.list", args[0]);
    config.put("request.required.acks", args[2]);
    config.put("client.id", "golden");
    // DefaultPartitioner would take the hash of the array's identity.
    config.put("partitioner.class", "kafka.producer.ByteArrayPartitioner");
    for (int i = 3; i < args.length; i++) {
      String[] pair = args[i].split("=", 2);
      config.put(pair[0], pair[1]);
    }
    Producer<byte[], byte[]> producer = new Producer<>(new ProducerConfig(config));
    List<KeyedMessage<byte[], byte[]>> messages = new ArrayList<>();
    messages.add(new KeyedMessage<>(args[1], utf8("key"), utf8("value")));
    messages.add(new KeyedMessage<>(args[1], utf8("no key")));
    messages.add(new KeyedMessage<>(args[1], utf8("tombstone"), null));
    messages.add(new KeyedMessage<>(args[1], utf8(""), utf8("")));
    messages.add(new KeyedMessage<>(args[1], utf8("größe 雪"), utf8("grüße 🙂")));
    producer.send(messages);
    producer.close();
  }

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}

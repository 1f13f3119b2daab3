import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import kafka.javaapi.message.ByteBufferMessageSet;
import kafka.message.CompressionCodec;
import kafka.message.CompressionCodec$;
import kafka.message.Message;
import kafka.message.MessageAndOffset;

/**
 * Message sets as the Scala classes of Kafka 0.8 make and read them.
 *
 *   write        prints one JSON line per case: the bytes, and what these classes read in them
 *   read FILE    FILE has one base64 line per message set; prints what these classes read in each
 */
public class KafkaZeroEightMessages {
  static final String[] CODECS = {"none", "gzip", "snappy", "lz4"};

  public static void main(String[] args) throws Exception {
    if (args[0].equals("read")) {
      for (String line : Files.readAllLines(Path.of(args[1])))
        System.out.println(describe(ByteBuffer.wrap(Base64.getDecoder().decode(line))));
      return;
    }
    for (int codec = 0; codec < CODECS.length; codec++) {
      print(CODECS[codec] + "-mixed", codec, mixed());
      if (codec > 0) print(CODECS[codec] + "-lines", codec, lines(1500));
    }
  }

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static List<Message> mixed() {
    return List.of(
      new Message(utf8("value"), utf8("key")),
      new Message(utf8("no key")),
      new Message(utf8(""), utf8("")),
      new Message(utf8("grüße 雪 🙂"), utf8("größe")));
  }

  static List<Message> lines(int count) {
    List<Message> messages = new ArrayList<>();
    for (int i = 0; i < count; i++)
      messages.add(new Message(utf8("{\"id\":" + i + ",\"user\":\"user-" + i * 7919L % 1000 + "\",\"amount\":" + i * 31L % 500 + "}"), utf8("user-" + i % 50)));
    return messages;
  }

  static void print(String name, int codec, List<Message> messages) throws Exception {
    CompressionCodec compression = CompressionCodec$.MODULE$.getCompressionCodec(codec);
    ByteBuffer bytes = new ByteBufferMessageSet(compression, messages).getBuffer();
    byte[] copy = new byte[bytes.remaining()];
    bytes.duplicate().get(copy);
    System.out.println("{\"name\":\"" + name + "\",\"codec\":" + codec + ",\"bytes\":\"" + Base64.getEncoder().encodeToString(copy)
      + "\",\"records\":" + describe(bytes) + "}");
  }

  /** A JSON array; of more than 20 records their number and the array's hash. */
  static String describe(ByteBuffer bytes) throws Exception {
    List<String> records = new ArrayList<>();
    for (MessageAndOffset entry : new ByteBufferMessageSet(bytes)) {
      entry.message().ensureValid();
      records.add("[" + entry.offset() + "," + data(entry.message().key()) + "," + data(entry.message().payload()) + "]");
    }
    String json = "[" + String.join(",", records) + "]";
    return records.size() <= 20 ? json : hash(records.size(), utf8(json));
  }

  /** Base64; of what is longer than 300 bytes the size and a hash. */
  static String data(ByteBuffer buffer) throws Exception {
    if (buffer == null) return "null";
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return bytes.length <= 300 ? '"' + Base64.getEncoder().encodeToString(bytes) + '"' : hash(bytes.length, bytes);
  }

  static String hash(int count, byte[] bytes) throws Exception {
    return "\"sha256:" + count + ":" + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes)) + '"';
  }
}

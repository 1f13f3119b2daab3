import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.*;

/**
 * Records as Apache Kafka's own Java client makes and reads them.
 *
 *   write        prints one JSON line per case: the bytes, and what the Java client reads in them
 *   read FILE    FILE has one base64 line per message set or batch; prints what the Java client reads in each
 */
public class KafkaClientsRecords {
  static final long TIME = 1_700_000_000_000L;

  public static void main(String[] args) throws Exception {
    if (args[0].equals("write")) write();
    else for (String line : Files.readAllLines(Path.of(args[1]))) System.out.println(describe(line, ByteBuffer.wrap(Base64.getDecoder().decode(line))));
  }

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static SimpleRecord record(long timestamp, String key, String value, Header... headers) {
    return new SimpleRecord(timestamp, key == null ? null : utf8(key), value == null ? null : utf8(value), headers);
  }

  static List<SimpleRecord> mixed(boolean withHeaders) {
    Header[] headers = !withHeaders ? new Header[0] : new Header[] {
      new RecordHeader("trace", utf8("a1")), new RecordHeader("trace", utf8("a2")), new RecordHeader("none", (byte[]) null),
      new RecordHeader("empty", new byte[0]), new RecordHeader("größe-雪-🙂", utf8("ß雪🙂")), new RecordHeader("", new byte[] {0, -1}),
    };
    return List.of(
      record(TIME, "key", "value", headers),
      record(TIME + 1, null, "no key"),
      record(TIME + 1, "tombstone", null),
      record(TIME + 70_000, "", ""),
      record(TIME - 12_345, "earlier", "grüße 雪 🙂", headers),
      record(TIME + 2, null, null));
  }

  static List<SimpleRecord> lines(int count) {
    List<SimpleRecord> records = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String json = String.format("{\"id\":%d,\"user\":\"user-%d\",\"amount\":%d.%02d,\"currency\":\"EUR\",\"tags\":[\"a\",\"b\",\"c%d\"]}",
        i, i * 7919L % 1000, i * 31L % 500, i % 100, i % 10);
      records.add(record(TIME + i, "user-" + i % 50, json));
    }
    return records;
  }

  static List<SimpleRecord> random(int size) {
    byte[] bytes = new byte[size];
    new Random(42).nextBytes(bytes);
    return List.of(new SimpleRecord(TIME, null, bytes));
  }

  static void write() throws Exception {
    for (byte magic = 0; magic <= 2; magic++) {
      for (CompressionType type : CompressionType.values()) {
        if (type == CompressionType.ZSTD && magic < 2) continue;
        String name = "magic" + magic + "-" + type.name;
        print(name + "-mixed", build(magic, type, TimestampType.CREATE_TIME, mixed(magic == 2)));
        print(name + "-one", build(magic, type, TimestampType.CREATE_TIME, List.of(record(TIME, "k", "v"))));
        if (type != CompressionType.NONE) print(name + "-lines", build(magic, type, TimestampType.CREATE_TIME, lines(1000)));
        if (magic > 0) print(name + "-append-time", build(magic, type, TimestampType.LOG_APPEND_TIME, mixed(magic == 2)));
      }
    }
    for (CompressionType type : new CompressionType[] {CompressionType.SNAPPY, CompressionType.LZ4})
      print("magic2-" + type.name + "-random", build((byte) 2, type, TimestampType.CREATE_TIME, random(70_000)));
    print("magic2-none-wide-timestamps", build((byte) 2, CompressionType.NONE, TimestampType.CREATE_TIME, List.of(
      record(0, null, "a"), record((1L << 53) - 1, null, "b"), record(1L << 31, null, "c"), record(1L << 32, null, "d"))));
    print("magic2-none-500", build((byte) 2, CompressionType.NONE, TimestampType.CREATE_TIME, lines(500)));
    print("magic2-none-idempotent", MemoryRecords.withRecords((byte) 2, 0L, Compression.NONE, TimestampType.CREATE_TIME,
      (1L << 40) + 7, (short) 3, 1 << 20, -1, false, mixed(true).toArray(new SimpleRecord[0])).buffer());
    print("magic2-none-transactional", MemoryRecords.withRecords((byte) 2, 0L, Compression.NONE, TimestampType.CREATE_TIME,
      4001L, (short) 0, 0, -1, true, mixed(true).toArray(new SimpleRecord[0])).buffer());
    print("magic2-none-stored", MemoryRecords.withRecords((byte) 2, 1L << 33, Compression.NONE, TimestampType.CREATE_TIME,
      -1L, (short) -1, -1, 9, false, mixed(true).toArray(new SimpleRecord[0])).buffer());
    print("magic2-control", MemoryRecords.withEndTransactionMarker(77L, TIME, 9, 4001L, (short) 0,
      new EndTransactionMarker(ControlRecordType.COMMIT, 5)).buffer());
    print("magic1-gzip-stored", MemoryRecords.withRecords((byte) 1, 1L << 33, Compression.of(CompressionType.GZIP).build(),
      TimestampType.CREATE_TIME, mixed(false).toArray(new SimpleRecord[0])).buffer());
    print("magic0-gzip-stored", MemoryRecords.withRecords((byte) 0, 1L << 33, Compression.of(CompressionType.GZIP).build(),
      TimestampType.NO_TIMESTAMP_TYPE, mixed(false).toArray(new SimpleRecord[0])).buffer());
  }

  static ByteBuffer build(byte magic, CompressionType type, TimestampType timestampType, List<SimpleRecord> records) {
    Compression compression = Compression.of(type).build();
    MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1024), magic, compression,
      magic == 0 ? TimestampType.NO_TIMESTAMP_TYPE : timestampType, 0L, TIME + 99);
    for (SimpleRecord record : records)
      builder.append(magic == 0 ? new SimpleRecord(RecordBatch.NO_TIMESTAMP, record.key(), record.value()) : record);
    return builder.build().buffer();
  }

  static void print(String name, ByteBuffer bytes) throws Exception {
    byte[] copy = new byte[bytes.remaining()];
    bytes.duplicate().get(copy);
    String base64 = Base64.getEncoder().encodeToString(copy);
    System.out.println("{\"name\":" + quote(name) + ",\"bytes\":" + quote(base64) + ",\"batches\":" + describe(name, bytes) + "}");
  }

  static String describe(String what, ByteBuffer bytes) throws Exception {
    List<String> batches = new ArrayList<>();
    int size = 0;
    for (MutableRecordBatch batch : MemoryRecords.readableRecords(bytes).batches()) {
      size += batch.sizeInBytes();
      batch.ensureValid();
      List<String> records = new ArrayList<>();
      for (org.apache.kafka.common.record.Record record : batch) {
        record.ensureValid();
        List<String> headers = new ArrayList<>();
        for (Header header : record.headers())
          headers.add("[" + quote(header.key()) + "," + data(header.value() == null ? null : ByteBuffer.wrap(header.value())) + "]");
        records.add("[" + record.offset() + "," + record.timestamp() + "," + data(record.key()) + "," + data(record.value())
          + ",[" + String.join(",", headers) + "]]");
      }
      batches.add("{\"magic\":" + batch.magic() + ",\"codec\":" + batch.compressionType().id
        + ",\"baseOffset\":" + batch.baseOffset() + ",\"lastOffset\":" + batch.lastOffset()
        + ",\"logAppendTime\":" + (batch.timestampType() == TimestampType.LOG_APPEND_TIME)
        + ",\"transactional\":" + batch.isTransactional() + ",\"control\":" + batch.isControlBatch()
        + ",\"producerId\":" + batch.producerId() + ",\"producerEpoch\":" + batch.producerEpoch()
        + ",\"baseSequence\":" + batch.baseSequence() + ",\"leaderEpoch\":" + batch.partitionLeaderEpoch()
        + ",\"maxTimestamp\":" + batch.maxTimestamp() + ",\"records\":" + brief(records) + "}");
    }
    if (size != bytes.remaining()) throw new IllegalStateException(what + ": " + size + " of " + bytes.remaining() + " bytes are batches");
    return "[" + String.join(",", batches) + "]";
  }

  /** Base64; of what is longer than 300 bytes the size and a hash. */
  static String data(ByteBuffer buffer) throws Exception {
    if (buffer == null) return "null";
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return quote(bytes.length <= 300 ? Base64.getEncoder().encodeToString(bytes) : hash(bytes.length, bytes));
  }

  /** A JSON array; of more than 20 elements their number and the array's hash. */
  static String brief(List<String> elements) throws Exception {
    String json = "[" + String.join(",", elements) + "]";
    return elements.size() <= 20 ? json : quote(hash(elements.size(), utf8(json)));
  }

  static String hash(int count, byte[] bytes) throws Exception {
    return "sha256:" + count + ":" + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
  }

  static String quote(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }
}

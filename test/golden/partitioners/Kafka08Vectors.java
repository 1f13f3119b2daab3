import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import java.util.stream.IntStream;
import kafka.producer.ByteArrayPartitioner;
import kafka.producer.DefaultPartitioner;
import kafka.producer.Partitioner;
import kafka.serializer.StringEncoder;
import kafka.utils.VerifiableProperties;

/**
 * Asks Kafka 0.8's own partitioners where they place each key, and its StringEncoder what it makes of a string.
 * Arguments: byte-keys.txt and the version of Kafka on the class path. Prints kafka-<version>.json.
 */
class Kafka08Vectors {
    static final int[] COUNTS = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 31, 32, 64, 97, 100, 127, 128, 255, 256, 500, 999, 1000};

    static final String[] STRINGS = {
        "", "a", "ab", "key", "order-17", "polygenelubricants" /* -2^31 */, "é", "Grüße", "ключ", "日本語", "\0", "\uffff",
        "\ud83d\ude00", "a\ud83d\ude00b", "\ud83d" /* lone high surrogate */, "\ude00", "a\udc00b", "\ude00\ud83d",
        "long-key-".repeat(200),
    };

    static final int[] INTS = {
        0, 1, -1, 2, -2, 9, -9, 42, -42, 1000, -1000, 65535, 65536, -65536, 123456789, -123456789,
        Integer.MAX_VALUE, -Integer.MAX_VALUE, Integer.MIN_VALUE,
    };

    static final long[] LONGS = {
        0, 1, -1, 2, -2, 42, -42, 65536, Integer.MAX_VALUE, Integer.MIN_VALUE, 1L << 31 /* hash -2^31 */, -(1L << 31) - 1, 1L << 32,
        -(1L << 32), (1L << 32) + 1, 1L << 40, -(1L << 40), (1L << 53) - 1, -(1L << 53), 1234567890123456789L, -1234567890123456789L,
        Long.MAX_VALUE, Long.MIN_VALUE, Long.MIN_VALUE + 1,
    };

    public static void main(String[] args) throws Exception {
        Partitioner byHash = new DefaultPartitioner(null);
        Partitioner byBytes = new ByteArrayPartitioner(null);
        List<String> strings = new ArrayList<>(), ints = new ArrayList<>(), longs = new ArrayList<>(), bytes = new ArrayList<>();
        for (String key : STRINGS) strings.add(vector(quoted(key), byHash, key));
        IntStream.range(0, 50).mapToObj(i -> "user-" + i * 7919).forEach(key -> strings.add(vector(quoted(key), byHash, key)));
        for (int key : INTS) ints.add(vector("" + key, byHash, key));
        for (long key : LONGS) longs.add(vector("\"" + key + "\"", byHash, key));
        for (String line : Files.readAllLines(Path.of(args[0]), StandardCharsets.UTF_8)) {
            if (line.startsWith("#")) continue;
            String hex = line.replaceAll("\\s*#.*", "").replace("-", "");
            bytes.add(vector("\"" + hex + "\"", byBytes, HexFormat.of().parseHex(hex)));
        }
        System.out.println("{");
        System.out.println("  \"madeBy\": \"kafka " + args[1] + "\",");
        System.out.println("  \"partitionCounts\": " + Arrays.toString(COUNTS) + ",");
        System.out.println("  \"strings\": " + list(strings) + ",");
        System.out.println("  \"ints\": " + list(ints) + ",");
        System.out.println("  \"longs\": " + list(longs) + ",");
        System.out.println("  \"bytes\": " + list(bytes) + ",");
        System.out.println("  \"encodedStrings\": " + list(encodedStrings()) + "\n}");
    }

    static String vector(String shown, Partitioner partitioner, Object key) {
        List<Integer> partitions = new ArrayList<>();
        for (int count : COUNTS) partitions.add(partitioner.partition(key, count));
        return String.format("{ \"key\": %s, \"partitions\": %s }", shown, partitions);
    }

    static List<String> encodedStrings() {
        String[][] texts = {
            {"UTF8", "", "abc", "Grüße", "日本語", "a\ud83d\ude00b"},
            {"UTF-16", "", "abc", "Grüße", "日本語", "a\ud83d\ude00b"},
            {"UTF-16LE", "", "abc", "Grüße", "日本語", "a\ud83d\ude00b"},
            {"UTF-16BE", "", "abc", "Grüße", "日本語", "a\ud83d\ude00b"},
            {"ISO-8859-1", "", "abc", "Grüße", "\u00ff\u0080"},
            {"US-ASCII", "", "abc", "\0\u007f"},
        };
        List<String> vectors = new ArrayList<>();
        for (String[] row : texts) {
            Properties properties = new Properties();
            properties.setProperty("serializer.encoding", row[0]);
            StringEncoder encoder = new StringEncoder(new VerifiableProperties(properties));
            for (int i = 1; i < row.length; i++) {
                String hex = HexFormat.of().formatHex(encoder.toBytes(row[i]));
                vectors.add(String.format("{ \"encoding\": \"%s\", \"text\": %s, \"bytes\": \"%s\" }", row[0], quoted(row[i]), hex));
            }
        }
        return vectors;
    }

    /** All but printable ASCII escaped, so that a lone surrogate survives the file's encoding. */
    static String quoted(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (char c : text.toCharArray()) json.append(c < ' ' || c > '~' ? String.format("\\u%04x", (int) c) : "" + c);
        return json.append('"').toString();
    }

    static String list(List<String> vectors) {
        return "[\n    " + String.join(",\n    ", vectors) + "\n  ]";
    }
}

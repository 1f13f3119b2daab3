import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

/**
 * Asks kafka-clients where it places each key. Arguments: byte-keys.txt and the version of kafka-clients on the
 * class path. Prints kafka-clients-<version>.json.
 */
class PartitionVectors {
    static final int[] COUNTS = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 31, 32, 64, 97, 100, 127, 128, 255, 256, 500, 999, 1000};

    public static void main(String[] args) throws Exception {
        List<String> vectors = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of(args[0]), StandardCharsets.UTF_8)) {
            if (line.startsWith("#")) continue;
            String hex = line.replaceAll("\\s*#.*", "").replace("-", "");
            byte[] key = HexFormat.of().parseHex(hex);
            List<Integer> partitions = new ArrayList<>();
            for (int count : COUNTS) partitions.add(BuiltInPartitioner.partitionForKey(key, count));
            vectors.add(String.format("    { \"key\": \"%s\", \"murmur2\": %d, \"partitions\": %s }", hex, Utils.murmur2(key), partitions));
        }
        System.out.println("{");
        System.out.println("  \"madeBy\": \"kafka-clients " + args[1] + "\",");
        System.out.println("  \"partitionCounts\": " + Arrays.toString(COUNTS) + ",");
        System.out.println("  \"vectors\": [\n" + String.join(",\n", vectors) + "\n  ]\n}");
    }
}

/*
 * As RecordDump.java, with the SimpleConsumer of Kafka 0.8, whose KafkaConsumer is an empty shell. Checks every CRC.
 *
 *   java -cp 'libs/*' RecordDump08.java <bootstrap> <topic> <partition or -1> <count or -1> <ignored>
 */
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import kafka.api.FetchRequestBuilder;
import kafka.api.PartitionOffsetRequestInfo;
import kafka.common.TopicAndPartition;
import kafka.javaapi.FetchResponse;
import kafka.javaapi.OffsetRequest;
import kafka.javaapi.PartitionMetadata;
import kafka.javaapi.TopicMetadataRequest;
import kafka.javaapi.consumer.SimpleConsumer;
import kafka.message.MessageAndOffset;

public class RecordDump08 {
    private static final int TIMEOUT_MS = 10_000;
    private static final int FETCH_BYTES = 64 << 20;

    public static void main(String[] args) throws Exception {
        String topic = args[1];
        int onlyPartition = Integer.parseInt(args[2]);
        long count = Long.parseLong(args[3]);
        String[] seed = args[0].split(",")[0].split(":");
        SimpleConsumer any = new SimpleConsumer(seed[0], Integer.parseInt(seed[1]), TIMEOUT_MS, 1 << 20, "record-dump");

        Map<Integer, SimpleConsumer> leaders = new HashMap<>();
        Map<Integer, Long> positions = new HashMap<>();
        Map<Integer, Long> ends = new HashMap<>();
        for (PartitionMetadata partition : any.send(new TopicMetadataRequest(Arrays.asList(topic))).topicsMetadata().get(0).partitionsMetadata()) {
            int id = partition.partitionId();
            if (onlyPartition >= 0 && onlyPartition != id) continue;
            SimpleConsumer leader = new SimpleConsumer(partition.leader().host(), partition.leader().port(), TIMEOUT_MS, 1 << 20, "record-dump");
            leaders.put(id, leader);
            positions.put(id, offset(leader, topic, id, kafka.api.OffsetRequest.EarliestTime()));
            ends.put(id, offset(leader, topic, id, kafka.api.OffsetRequest.LatestTime()));
        }

        long seen = 0;
        while (count < 0 ? !positions.equals(ends) : seen < count) {
            for (int id : leaders.keySet()) {
                if (count < 0 && positions.get(id) >= ends.get(id)) continue;
                FetchResponse response = leaders.get(id).fetch(
                    new FetchRequestBuilder().clientId("record-dump").maxWait(100).addFetch(topic, id, positions.get(id), FETCH_BYTES).build());
                if (response.hasError()) throw new IllegalStateException("Fetch failed with error " + response.errorCode(topic, id));
                for (MessageAndOffset message : response.messageSet(topic, id)) {
                    // A compressed set is answered from its start.
                    if (message.offset() < positions.get(id)) continue;
                    if (count < 0 ? message.offset() >= ends.get(id) : seen == count) break;
                    message.message().ensureValid();
                    System.out.println("{\"partition\":" + id + ",\"offset\":" + message.offset() + ",\"timestamp\":-1,\"timestampType\":\"NoTimestampType\""
                        + ",\"key\":" + base64(message.message().key()) + ",\"value\":" + base64(message.message().payload()) + ",\"headers\":[]}");
                    positions.put(id, message.nextOffset());
                    seen++;
                }
            }
        }
        System.exit(0);
    }

    private static long offset(SimpleConsumer leader, String topic, int partition, long time) {
        TopicAndPartition key = new TopicAndPartition(topic, partition);
        OffsetRequest request = new OffsetRequest(
            Collections.singletonMap(key, new PartitionOffsetRequestInfo(time, 1)), kafka.api.OffsetRequest.CurrentVersion(), "record-dump");
        return leader.getOffsetsBefore(request).offsets(topic, partition)[0];
    }

    private static String base64(ByteBuffer buffer) {
        if (buffer == null) return "null";
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return '"' + Base64.getEncoder().encodeToString(bytes) + '"';
    }
}

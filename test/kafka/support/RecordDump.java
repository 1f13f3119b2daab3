/*
 * Prints a topic's records, one JSON object a line and every byte string in base64, with the KafkaConsumer of the release on
 * the classpath (0.9 and later). What came or changed between releases is called by reflection.
 *
 *   java -cp 'libs/*' RecordDump.java <bootstrap> <topic> <partition or -1> <count or -1> <isolation level>
 */
import java.lang.reflect.Method;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class RecordDump {
    public static void main(String[] args) throws Exception {
        String topic = args[1];
        int onlyPartition = Integer.parseInt(args[2]);
        long count = Long.parseLong(args[3]);

        Properties properties = new Properties();
        properties.put("bootstrap.servers", args[0]);
        properties.put("isolation.level", args[4]);
        properties.put("enable.auto.commit", "false");
        // 0.9 looks for a coordinator even where no group is used.
        properties.put("group.id", "record-dump");

        try (KafkaConsumer<byte[], byte[]> consumer =
                 new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (PartitionInfo info : consumer.partitionsFor(topic)) {
                if (onlyPartition < 0 || info.partition() == onlyPartition) partitions.add(new TopicPartition(topic, info.partition()));
            }
            consumer.assign(partitions);
            seek(consumer, "seekToEnd", partitions);
            Map<TopicPartition, Long> ends = new HashMap<>();
            for (TopicPartition partition : partitions) ends.put(partition, consumer.position(partition));
            seek(consumer, "seekToBeginning", partitions);

            StringBuilder out = new StringBuilder();
            for (long seen = 0; count < 0 ? !reached(consumer, ends) : seen < count; ) {
                for (ConsumerRecord<byte[], byte[]> record : poll(consumer)) {
                    if (count < 0 && record.offset() >= ends.get(new TopicPartition(topic, record.partition()))) continue;
                    if (count >= 0 && seen == count) break;
                    print(record, out);
                    seen++;
                }
                System.out.print(out);
                out.setLength(0);
            }
            System.out.flush();
        }
    }

    private static boolean reached(KafkaConsumer<?, ?> consumer, Map<TopicPartition, Long> ends) {
        for (Map.Entry<TopicPartition, Long> end : ends.entrySet()) {
            if (consumer.position(end.getKey()) < end.getValue()) return false;
        }
        return true;
    }

    /** Varargs in 0.9, a collection since 0.10. */
    private static void seek(KafkaConsumer<?, ?> consumer, String name, List<TopicPartition> partitions) throws Exception {
        for (Method method : KafkaConsumer.class.getMethods()) {
            if (!method.getName().equals(name)) continue;
            Object argument = method.getParameterTypes()[0].isArray() ? partitions.toArray(new TopicPartition[0]) : partitions;
            method.invoke(consumer, argument);
        }
    }

    /** The older form is gone since 4.0, the newer one came with 2.0. */
    @SuppressWarnings("unchecked")
    private static ConsumerRecords<byte[], byte[]> poll(KafkaConsumer<byte[], byte[]> consumer) throws Exception {
        Object records;
        try {
            records = KafkaConsumer.class.getMethod("poll", Duration.class).invoke(consumer, Duration.ofMillis(200));
        } catch (NoSuchMethodException older) {
            records = KafkaConsumer.class.getMethod("poll", long.class).invoke(consumer, 200L);
        }
        return (ConsumerRecords<byte[], byte[]>) records;
    }

    private static void print(ConsumerRecord<byte[], byte[]> record, StringBuilder out) throws Exception {
        Object timestamp = get(record, "timestamp");
        Object type = get(record, "timestampType");
        out.append("{\"partition\":").append(record.partition()).append(",\"offset\":").append(record.offset())
            .append(",\"timestamp\":").append(timestamp == null ? -1 : timestamp)
            .append(",\"timestampType\":\"").append(type == null ? "NoTimestampType" : type).append('"')
            .append(",\"key\":").append(base64(record.key())).append(",\"value\":").append(base64(record.value()))
            .append(",\"headers\":[");
        Object headers = get(record, "headers");
        String separator = "";
        for (Object header : headers == null ? Arrays.asList() : (Iterable<?>) headers) {
            String key = (String) get(header, "key");
            out.append(separator).append('[').append(base64(key.getBytes("UTF-8"))).append(',')
                .append(base64((byte[]) get(header, "value"))).append(']');
            separator = ",";
        }
        out.append("]}\n");
    }

    /** Null where this release has no such thing. */
    private static Object get(Object object, String name) throws Exception {
        try {
            Method method = object.getClass().getMethod(name);
            method.setAccessible(true);
            return method.invoke(object);
        } catch (NoSuchMethodException older) {
            return null;
        }
    }

    private static String base64(byte[] bytes) {
        return bytes == null ? "null" : '"' + Base64.getEncoder().encodeToString(bytes) + '"';
    }
}

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import java.util.stream.Collectors;
import org.apache.kafka.common.metrics.KafkaMetric;
import org.apache.kafka.common.metrics.MetricsReporter;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import org.apache.kafka.server.telemetry.ClientTelemetry;
import org.apache.kafka.server.telemetry.ClientTelemetryPayload;
import org.apache.kafka.server.telemetry.ClientTelemetryReceiver;
import org.apache.kafka.shaded.io.opentelemetry.proto.common.v1.KeyValue;
import org.apache.kafka.shaded.io.opentelemetry.proto.metrics.v1.Metric;
import org.apache.kafka.shaded.io.opentelemetry.proto.metrics.v1.MetricsData;
import org.apache.kafka.shaded.io.opentelemetry.proto.metrics.v1.NumberDataPoint;

/**
 * A plug-in of a broker that takes the metrics of clients (KIP-714): what each push has is a line of JSON, read by
 * OpenTelemetry's own classes, in the file that the property metrics.file names.
 */
public class MetricsFile implements MetricsReporter, ClientTelemetry, ClientTelemetryReceiver {
    private Path file;

    @Override
    public void configure(Map<String, ?> configs) {
        file = Path.of((String) configs.get("metrics.file"));
    }

    @Override
    public ClientTelemetryReceiver clientReceiver() {
        return this;
    }

    @Override
    public synchronized void exportMetrics(AuthorizableRequestContext context, ClientTelemetryPayload payload) {
        try {
            MetricsData data = MetricsData.parseFrom(payload.data());
            StringJoiner metrics = new StringJoiner(",", "[", "]");
            StringJoiner resources = new StringJoiner(",", "[", "]");
            data.getResourceMetricsList().forEach(of -> {
                resources.add(attributes(of.getResource().getAttributesList()));
                of.getScopeMetricsList().forEach(scope -> scope.getMetricsList().forEach(metric -> metrics.add(json(metric))));
            });
            String line = String.format("{\"clientId\":\"%s\",\"clientInstanceId\":\"%s\",\"terminating\":%s,\"contentType\":\"%s\",\"resources\":%s,\"metrics\":%s}%n",
                context.clientId(), payload.clientInstanceId(), payload.isTerminating(), payload.contentType(), resources, metrics);
            Files.writeString(file, line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String json(Metric metric) {
        String kind = metric.getDataCase().name();
        List<NumberDataPoint> points = metric.hasSum() ? metric.getSum().getDataPointsList() : metric.getGauge().getDataPointsList();
        String sum = metric.hasSum() ? ",\"temporality\":\"" + metric.getSum().getAggregationTemporality() + "\",\"monotonic\":" + metric.getSum().getIsMonotonic() : "";
        return String.format("{\"name\":\"%s\",\"kind\":\"%s\"%s,\"points\":[%s]}", metric.getName(), kind, sum,
            points.stream().map(MetricsFile::json).collect(Collectors.joining(",")));
    }

    private static String json(NumberDataPoint point) {
        double value = point.hasAsInt() ? point.getAsInt() : point.getAsDouble();
        return String.format("{\"value\":%s,\"start\":%d,\"time\":%d,\"attributes\":%s}", Double.isFinite(value) ? value : "null",
            point.getStartTimeUnixNano() / 1_000_000, point.getTimeUnixNano() / 1_000_000, attributes(point.getAttributesList()));
    }

    private static String attributes(List<KeyValue> attributes) {
        return attributes.stream().map(one -> String.format("\"%s\":\"%s\"", one.getKey(), one.getValue().getStringValue()))
            .collect(Collectors.joining(",", "{", "}"));
    }

    @Override
    public void init(List<KafkaMetric> metrics) {}

    @Override
    public void metricChange(KafkaMetric metric) {}

    @Override
    public void metricRemoval(KafkaMetric metric) {}

    @Override
    public void close() {}
}

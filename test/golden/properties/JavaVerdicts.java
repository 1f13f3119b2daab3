import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * What Kafka's own producer says of properties files. One file a line on stdin, in base64; one object of JSON a line on
 * stdout: {"takes":true,"unknown":[names]} or {"takes":false,"why":"..."}. With the argument `names`: the names that it
 * knows, each with its type and default.
 *
 * The serializers are given beside the file, as a program does that has its own. No broker is asked anything.
 */
public final class JavaVerdicts {
  public static void main(String[] args) throws Exception {
    if (args.length > 0 && args[0].equals("names")) {
      names();
      return;
    }
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      System.out.println(verdict(new String(Base64.getDecoder().decode(line), StandardCharsets.UTF_8)));
    }
  }

  private static String verdict(String text) throws Exception {
    Properties file = new Properties();
    file.load(new StringReader(text));
    try {
      KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(file, new ByteArraySerializer(), new ByteArraySerializer());
      producer.close(Duration.ZERO);
      Set<String> known = ProducerConfig.configNames();
      TreeSet<String> unknown = new TreeSet<>();
      for (String name : file.stringPropertyNames()) if (!known.contains(name)) unknown.add(name);
      StringJoiner names = new StringJoiner(",", "[", "]");
      for (String name : unknown) names.add(json(name));
      return "{\"takes\":true,\"unknown\":" + names + "}";
    } catch (Exception failure) {
      Throwable cause = failure;
      while (cause.getCause() != null) cause = cause.getCause();
      String why = String.valueOf(cause.getMessage()).split("\n")[0];
      return "{\"takes\":false,\"why\":" + json(why) + "}";
    }
  }

  private static void names() {
    for (Map.Entry<String, ConfigDef.ConfigKey> entry : new TreeMap<>(ProducerConfig.configDef().configKeys()).entrySet()) {
      ConfigDef.ConfigKey key = entry.getValue();
      Object fallback = key.hasDefault() ? ConfigDef.convertToString(key.defaultValue, key.type) : null;
      String validator = key.validator == null ? "" : String.valueOf(key.validator);
      System.out.println(
          "{\"name\":" + json(key.name) + ",\"type\":" + json(key.type.toString()) + ",\"default\":"
              + (fallback == null ? "null" : json(String.valueOf(fallback))) + ",\"allowed\":" + json(validator) + "}");
    }
  }

  private static String json(String text) {
    StringBuilder json = new StringBuilder("\"");
    for (char letter : text.toCharArray()) {
      if (letter == '"' || letter == '\\') json.append('\\').append(letter);
      else if (letter < ' ' || letter > '~') json.append(String.format("\\u%04x", (int) letter));
      else json.append(letter);
    }
    return json.append('"').toString();
  }
}

import com.sun.tools.attach.VirtualMachine;
import java.util.Set;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/** Prints what a broker has counted on one listener: "<renewed> <refused renewals> <connections killed, as not renewed>". */
public class Reauthentications {
    public static void main(String[] args) throws Exception {
        String pid = args[0], listener = args[1];
        VirtualMachine broker = VirtualMachine.attach(pid);
        String address = broker.startLocalManagementAgent();
        broker.detach();
        try (var connector = JMXConnectorFactory.connect(new JMXServiceURL(address))) {
            MBeanServerConnection beans = connector.getMBeanServerConnection();
            String[] names = {"successful-reauthentication-total", "failed-reauthentication-total", "expired-connections-killed-count"};
            long[] counts = new long[names.length];
            Set<ObjectName> found = beans.queryNames(new ObjectName("kafka.server:type=socket-server-metrics,listener=" + listener + ",networkProcessor=*"), null);
            if (found.isEmpty()) throw new IllegalStateException("the broker counts nothing for " + listener);
            for (ObjectName name : found) {
                for (int i = 0; i < names.length; i++) counts[i] += ((Number) beans.getAttribute(name, names[i])).longValue();
            }
            System.out.println(counts[0] + " " + counts[1] + " " + counts[2]);
        }
    }
}

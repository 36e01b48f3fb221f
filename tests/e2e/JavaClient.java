import com.sun.star.bridge.UnoUrlResolver;
import com.sun.star.comp.helper.Bootstrap;

/** One UNO client in Java: connects to a port, and prints what came of it. */
public class JavaClient {
    public static void main(String[] arguments) throws Exception {
        String address =
                "uno:socket,host=127.0.0.1,port=" + arguments[0] + ";urp;StarOffice.ComponentContext";
        try {
            var local = Bootstrap.createInitialComponentContext(null);
            Object context = UnoUrlResolver.create(local).resolve(address);
            System.out.println(context == null ? "nothing" : "connected");
        } catch (Throwable refused) {
            System.out.println(refused.getClass().getName() + ": " + refused.getMessage());
        }
        System.exit(0);
    }
}

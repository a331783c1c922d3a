// Stand-ins for the few classes of androidx.test that Robolectric calls: they are in Google's Maven only. They note the
// instrumentation, and nothing else: no test here listens to lifecycles or intents through androidx.
package androidx.test.runner.lifecycle

interface ActivityLifecycleMonitor

interface ApplicationLifecycleMonitor

enum class Stage { PRE_ON_CREATE, CREATED, STARTED, RESUMED, PAUSED, STOPPED, RESTARTED, DESTROYED }

enum class ApplicationStage { PRE_ON_CREATE, CREATED }

object ActivityLifecycleMonitorRegistry {
    @JvmStatic
    fun registerInstance(monitor: ActivityLifecycleMonitor) = monitor.let {}
}

object ApplicationLifecycleMonitorRegistry {
    @JvmStatic
    fun registerInstance(monitor: ApplicationLifecycleMonitor) = monitor.let {}
}

import javax.inject.Inject

plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "org.lmedge.app"
    compileSdk = 34
    defaultConfig {
        applicationId = "org.lmedge.app"
        minSdk = 24
        targetSdk = 34
        versionCode = 1
        versionName = "0.1.0"
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
    kotlinOptions { jvmTarget = "1.8" }
    androidResources { noCompress += "tflite" } // a model is mapped into memory from the APK
    sourceSets["test"].java.setSrcDirs(emptyList<String>()) // see core
    sourceSets["test"].kotlin.setSrcDirs(emptyList<String>())
}

dependencies {
    implementation(project(":engine"))
}

/** The bundle -> the assets: bundle.json and the models that take latents of float32. */
abstract class CopyBundle @Inject constructor(private val files: FileSystemOperations) : DefaultTask() {
    @get:InputDirectory
    abstract val bundle: DirectoryProperty

    @get:OutputDirectory
    abstract val assets: DirectoryProperty

    @TaskAction
    fun copy() {
        val folder = bundle.get().asFile
        require(folder.resolve("bundle.json").isFile) { "$folder is not a bundle; lmedge export makes one." }
        files.sync {
            from(folder) {
                include("bundle.json", "*.tflite")
                exclude("*-int8-io.tflite")
            }
            into(assets.dir("bundle"))
        }
    }
}

val copyBundle = tasks.register<CopyBundle>("copyBundle") {
    bundle = rootProject.layout.projectDirectory.dir(providers.gradleProperty("bundle"))
}

androidComponents {
    onVariants { it.sources.assets?.addGeneratedSourceDirectory(copyBundle, CopyBundle::assets) }
}

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
    sourceSets["main"].assets.srcDir(layout.buildDirectory.dir("assets"))
    sourceSets["test"].kotlin.setSrcDirs(emptyList<String>()) // see core
}

dependencies {
    implementation(project(":engine"))
}

val bundle = rootProject.file(providers.gradleProperty("bundle").get())

val copyBundle by tasks.registering(Sync::class) {
    description = "Copies the bundle's models that take latents of float32, and bundle.json."
    from(bundle) {
        include("bundle.json", "*.tflite")
        exclude("*-int8-io.tflite")
    }
    into(layout.buildDirectory.dir("assets/bundle"))
    doFirst {
        require(bundle.resolve("bundle.json").isFile) { "$bundle is not a bundle; make one with lmedge export." }
    }
}

tasks.named("preBuild") { dependsOn(copyBundle) }

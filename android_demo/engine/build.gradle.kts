plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "org.lmedge.engine"
    compileSdk = 34
    defaultConfig { minSdk = 24 }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
    kotlinOptions { jvmTarget = "1.8" }
    sourceSets["test"].java.setSrcDirs(emptyList<String>()) // see core
    sourceSets["test"].kotlin.setSrcDirs(emptyList<String>())
}

dependencies {
    api(project(":core"))
    implementation(libs.bundles.runtime)
}

import org.jetbrains.kotlin.gradle.dsl.JvmTarget
import org.jetbrains.kotlin.gradle.tasks.KotlinJvmCompile

plugins {
    alias(libs.plugins.kotlin.jvm)
}

java {
    sourceCompatibility = JavaVersion.VERSION_1_8
    targetCompatibility = JavaVersion.VERSION_1_8
}

tasks.withType<KotlinJvmCompile>().configureEach {
    compilerOptions.jvmTarget = JvmTarget.JVM_1_8
}

// The tests need what the Python runtime draws: scripts/check_android writes it and runs them.
kotlin.sourceSets["test"].kotlin.setSrcDirs(emptyList<String>())

dependencies {
    compileOnly(libs.json) // Android has these classes itself
}

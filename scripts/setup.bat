@echo off
rem Makes the environment that all launchers use: .venv with everything in requirements.txt.
rem   DFL_PYTHON   the Python to use (3.10, 3.11 or 3.12); the "py" launcher finds one when not set
for %%I in ("%~dp0..") do set "DFL_ROOT=%%~fI"
if not defined DFL_VENV set "DFL_VENV=%DFL_ROOT%\.venv"
rem TensorFlow has no CUDA libraries for Windows, so there is no such choice to keep here.
if "%DFL_CUDA%"=="1" (
    echo DFL_CUDA=1: TensorFlow uses NVIDIA cards on Linux only. In Windows run scripts/setup.sh inside WSL 2 for that;
    echo this environment uses the processor.
)
if exist "%DFL_VENV%\.installed-run" (
    fc /b "%DFL_ROOT%\requirements.txt" "%DFL_VENV%\.installed-run" >nul 2>nul && exit /b 0
)
if not defined DFL_PYTHON (
    for %%V in (3.11 3.12 3.10) do (
        if not defined DFL_PYTHON py -%%V -c "import venv" >nul 2>nul && set "DFL_PYTHON=py -%%V"
    )
)
if not defined DFL_PYTHON (
    echo No Python 3.10, 3.11 or 3.12 found. Install one from python.org, or set DFL_PYTHON to its path.
    exit /b 1
)
echo Making the environment in %DFL_VENV%. The first time this takes some minutes.
if not exist "%DFL_VENV%\Scripts\python.exe" %DFL_PYTHON% -m venv "%DFL_VENV%"
if errorlevel 1 exit /b 1
"%DFL_VENV%\Scripts\python.exe" -m pip install --quiet --disable-pip-version-check -r "%DFL_ROOT%\requirements.txt"
if errorlevel 1 exit /b 1
copy /y "%DFL_ROOT%\requirements.txt" "%DFL_VENV%\.installed-run" >nul
exit /b 0
